// Texts of the server with something put into them.

export function filled(text, facts) {
  return text.replace(/\$\{(\w+)\}/g, (_gap, name) => facts[name]);
}
