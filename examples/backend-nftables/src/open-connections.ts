import { type Family, familyOf } from "./elements.ts";
import { run } from "./system.ts";

/** Connections of a pod that are older than its enrolment, as its own packets tell them. */
export async function openConnections(netns: string): Promise<{ readonly family: Family; readonly tuple: string }[]> {
  const lines = (await run(netns, "", "ss", "-Htan")).split("\n").map((line) => line.trim().split(/\s+/));
  return lines
    .filter(([state]) => state !== "" && state !== "LISTEN" && state !== "TIME-WAIT")
    .map(([, , , local = "", peer = ""]) => [...endpoint(local), ...endpoint(peer)])
    .filter(([address = ""]) => !address.startsWith("127.") && address !== "::1")
    .map((parts) => ({ family: familyOf(parts[0] ?? ""), tuple: parts.join(" . ") }));
}

/** `198.18.0.1:80`, `[2001:2::1]:80`, `[::ffff:198.18.0.1]:80`, `[fe80::1]%eth0:80`. */
function endpoint(text: string): [address: string, port: string] {
  const colon = text.lastIndexOf(":");
  const address = text
    .slice(0, colon)
    .replace(/^\[|\]/g, "")
    .replace(/%.*/, "")
    .replace(/^::ffff:(?=\d+\.)/, "");
  return [address, text.slice(colon + 1)];
}
