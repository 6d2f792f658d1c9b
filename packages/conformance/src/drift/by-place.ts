/**
 * Lines of a firewall, each behind the names of the table and the chain that it is in, and these sorted. A chain that was made anew is printed behind
 * the others, which means nothing; within a chain order does. Reads what `nft list ruleset` and `iptables-save` print.
 */
export function byPlace(lines: readonly string[]): string[] {
  const placed: { readonly place: string; readonly line: string }[] = [];
  const open: string[] = [];
  let table = "";
  for (const line of lines) {
    const text = line.trim();
    if (text.startsWith("*")) table = text.slice(1);
    const opened = text.endsWith("{") ? text.slice(0, -1).trim() : undefined;
    if (opened !== undefined) open.push(opened);
    const place = [...open, table, chainOf(text)].filter((part) => part !== "").join(" ");
    const said = opened === undefined ? text : "{";
    if (text !== "}" && text !== "COMMIT" && text !== "") placed.push({ place, line: `${place}: ${said}` });
    if (text === "}") open.pop();
  }
  const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return placed.sort((a, b) => order(a.place, b.place)).map(({ line }) => line);
}

/** `:CHAIN policy` and `-A CHAIN …` of iptables-save. */
const chainOf = (text: string): string => /^(?::|-A )(\S+)/.exec(text)?.[1] ?? "";
