// What cone.app's scripts show of a failure: the message of the answer, with its reference.

/** Without this they show the status and its name, and that has none over HTTP/2. */
export function tellFailuresOfHost(jQuery) {
  jQuery?.ajaxPrefilter((_options, _original, request) => {
    // Called before the host's own function, which shows this as markup.
    request.fail(() => {
      const message = messageOf(request);
      if (message) request.statusText = escaped(message);
    });
  });
}

function messageOf({ responseText }) {
  try {
    return JSON.parse(responseText).message;
  } catch {
    return null;
  }
}

function escaped(text) {
  const element = document.createElement("p");
  element.textContent = ` ${text}`;
  return element.innerHTML;
}
