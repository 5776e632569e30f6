// What the status of an answer means where something went wrong.

const FAILURES = {
  // No answer: the connection is lost, or it took too long.
  0: "offline",
  401: "signed_out",
  403: "forbidden",
  404: "not_found",
  409: "conflict",
  413: "too_large",
  429: "rate_limited",
  503: "unavailable",
};

export function failureName(status) {
  return FAILURES[status] ?? (status >= 500 ? "fault" : "not_possible");
}
