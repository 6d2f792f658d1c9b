import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NftablesMonitor, type NftEvent } from "./nftables-monitor.ts";
import { ScratchNetns, until } from "./testing/scratch-netns.ts";

/** "chain set inet t c", "rule removed ip mangle PREROUTING → MINE": an event in a line. */
const brief = ({ type, change, family, table, name, target }: NftEvent): string =>
  [type, change, family, table, name, target && `→ ${target}`].filter(Boolean).join(" ");

describe("NftablesMonitor", () => {
  let namespace: ScratchNetns;
  let monitor: NftablesMonitor | undefined;
  let seen: string[];
  let overruns: number;

  beforeEach(() => {
    namespace = new ScratchNetns();
    seen = [];
    overruns = 0;
    monitor = NftablesMonitor.open({
      netns: namespace.fd,
      receiveBufferBytes: 64 << 10,
      onEvents: (events) => seen.push(...events.map(brief)),
      onOverrun: () => overruns++,
    });
  });

  afterEach(() => {
    monitor?.[Symbol.dispose]();
    namespace[Symbol.dispose]();
  });

  it("tells of tables, chains, rules and sets as they come and go", async () => {
    namespace.sh(`nft -f - <<END
      table inet t {
        set s { type ipv4_addr; elements = { 198.18.0.1 }; }
        chain d { counter drop; }
        chain c { type filter hook prerouting priority 0; tcp dport 80 counter jump d; }
      }
END
      nft delete element inet t s '{ 198.18.0.1 }'
      nft flush chain inet t c
      nft delete table inet t`);
    await until("the table is gone", () => seen.includes("table removed inet t"));
    for (const line of [
      "table set inet t",
      "set set inet t s",
      "elements set inet t s",
      "chain set inet t c",
      "rule set inet t c → d",
      "rule set inet t d",
      "elements removed inet t s",
      "rule removed inet t c → d",
    ]) {
      expect(seen).toContain(line);
    }
    expect(overruns).toBe(0);
  });

  it("tells what iptables-nft does, with the chain that a rule jumps to", async () => {
    namespace.sh(`
      iptables-nft -t mangle -N MINE
      iptables-nft -t mangle -A MINE -p tcp -m comment --comment one -j MARK --set-mark 1
      iptables-nft -t mangle -A PREROUTING -p tcp -j MINE
      iptables-nft -t mangle -D PREROUTING -p tcp -j MINE
      iptables-nft -t mangle -F MINE
    `);
    await until("the rule is gone", () => seen.includes("rule removed ip mangle MINE"));
    expect(seen).toContain("rule set ip mangle MINE");
    expect(seen).toContain("rule set ip mangle PREROUTING → MINE");
    expect(seen).toContain("rule removed ip mangle PREROUTING → MINE");
  });

  it("says that events were lost", async () => {
    const rules = Array.from({ length: 3000 }, (_, i) => `add rule ip t c tcp dport ${i + 1} counter drop`);
    namespace.sh(`nft -f - <<END\nadd table ip t\nadd chain ip t c\n${rules.join("\n")}\nEND`);
    await until("the loss is told", () => overruns > 0);
    namespace.sh("nft add table ip after");
    await until("it goes on", () => seen.includes("table set ip after"));
  });
});
