import { Lab } from "@millrace/conformance";
import { expect, test, vi } from "vitest";
import { Driver, proxyOf, workloadOf } from "./testing/driver.ts";

// Dozens of programs are run for each: long on a busy machine.
vi.setConfig({ testTimeout: 300_000 });

const NETWORK = "198.19.77.0/24";
const EVERYTHING = "::/0";

test("one rule for each network, however many exclude it; none once nobody does", async () => {
  await using lab = await Lab.create({ nodes: [{ pods: ["m1", "m2", "m3"], proxies: ["z1"] }] });
  const node = lab.node(1);
  const exclude = (outboundCidrs: string[]) => ({
    exclusions: { outboundPorts: [], outboundCidrs, inboundPorts: [], inboundCidrs: [] },
  });
  const rules = async (): Promise<number> => {
    const programs = ["iptables-nft-save", "ip6tables-nft-save", "iptables-legacy-save", "ip6tables-legacy-save"];
    const text = await node.namespace.runChecked("sh", ["-c", programs.join("; ")]);
    return text.split("\n").filter((line) => line.includes("millrace-netout")).length;
  };
  const entries = async (): Promise<string[]> => {
    const text = await node.namespace.runChecked("ipset", ["save"]);
    const lines = text.split("\n").filter((line) => line.startsWith("add millrace-netout"));
    return lines.map((line) => line.split(" ")[2] ?? "").sort();
  };
  const [m1, m2, m3] = [lab.pod("m1"), lab.pod("m2"), lab.pod("m3")];

  await using driver = await Driver.open(node);
  await driver.useProxies({ active: await proxyOf(lab.pod("z1")), draining: [] });
  for (const pod of [m1, m2]) await driver.apply(await workloadOf(pod, exclude([NETWORK])));
  expect([await rules(), await entries()]).toEqual([1, [m1.address(4), m2.address(4)].sort()]);
  await driver.apply(await workloadOf(m3, exclude([NETWORK, EVERYTHING])));
  expect([await rules(), (await entries()).length]).toEqual([2, 4]);
  const seen = await driver.observe();
  expect(seen).toMatchObject({ problems: [], workloads: [1, 2, 3].map(() => ({ problems: [] })) });
  expect(seen.maps).toMatchObject({ "millrace-to4": { entries: 3, max: 4096 } });
  // One for each role and family: those of networks have names without number.
  expect(Object.keys(seen.maps ?? {})).toHaveLength(12);

  await driver.apply(await workloadOf(m3));
  await driver.remove(m2.uid);
  expect([await rules(), await entries()]).toEqual([1, [m1.address(4)]]);
  await driver.remove(m1.uid);
  expect([await rules(), await entries()]).toEqual([0, []]);
  expect(await node.namespace.runChecked("ipset", ["list", "-name"])).not.toContain("millrace-net");
  await driver.uninstall();
});
