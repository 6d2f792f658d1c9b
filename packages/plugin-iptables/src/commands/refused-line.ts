/**
 * How the programs tell which line of their input they refuse, counted from 1: iptables-restore ("Error occurred at line: 5",
 * "line 4 failed"), iptables-nft-restore ("line 3: RULE_APPEND failed"), ipset ("Error in line 1") and ip -batch ("Command failed -:4").
 */
const PLACES = [
  /Error occurred at line: (\d+)/,
  /\bline (\d+)(?: failed|: \w+ failed)/,
  /Error in line (\d+)/,
  /Command failed -:(\d+)/,
];

/** iptables-nft-restore finds a missing chain only at the end of the table, and tells that line. */
const MISSING_CHAIN = /Chain '([^']+)' does not exist/;

/** The text of the line that a program refused; undefined when it tells none. */
export function refusedLine(stderr: string, input: string): string | undefined {
  const number = PLACES.map((place) => place.exec(stderr)?.[1]).find((found) => found !== undefined);
  if (number === undefined) return undefined;
  const lines = input.split("\n");
  const line = lines[Number(number) - 1];
  const chain = MISSING_CHAIN.exec(stderr)?.[1];
  if (chain === undefined || line?.split(" ").includes(chain)) return line;
  return lines.find((each) => each.startsWith("-") && each.split(" ").includes(chain)) ?? line;
}
