import { isIP } from "node:net";

/** Runs of what names, addresses and host names are made of; a slash parts `namespace/name`. */
const TOKEN = /[A-Za-z0-9](?:[A-Za-z0-9._:-]*[A-Za-z0-9])?|::[A-Za-z0-9.:]*/g;
const HOST_IN_URL = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/"']+/gi;

/**
 * A message with the names that are known replaced, and with nothing left in it that is an address or the host of a URL. What else it tells
 * stays: it may be what explains the incident.
 */
export function scrubbed(text: string, known: (word: string) => string | undefined): string {
  return text.replaceAll(HOST_IN_URL, "$1redacted").replaceAll(TOKEN, (token) => {
    const other = known(token);
    if (other !== undefined) return other;
    const [, host, port = ""] = /^(.*?)(:\d+)?$/.exec(token) as RegExpExecArray;
    if (isIP(token) !== 0) return "address";
    return isIP(host as string) === 4 ? `${known(host as string) ?? "address"}${port}` : token;
  });
}
