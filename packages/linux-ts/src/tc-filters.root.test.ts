import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasClsact, hasClsactAsync, link, type TcFilter, tcFilters, tcFiltersAsync } from "./index.ts";
import { ScratchNetns } from "./testing/scratch-netns.ts";

interface TcJsonFilter {
  protocol: string;
  pref: number;
  kind: string;
  chain: number;
  options?: {
    handle?: string;
    fh?: string;
    bpf_name?: string;
    "direct-action"?: boolean;
    prog?: { id: number; tag: string };
  };
}

const etherTypes: Record<string, number> = { all: 0x0003, ip: 0x0800, ipv6: 0x86dd };

/** u32 handles are printed as htid:[hash]:node, in hexadecimal (print_handle of iproute2's f_u32.c). */
function handleOf({ handle, fh }: { handle?: string; fh?: string }): number {
  if (fh === undefined) return Number(handle);
  const [table = "", hash = "", node = ""] = fh.split(":");
  const part = (text: string) => Number.parseInt(text || "0", 16);
  return part(table) * 2 ** 20 + part(hash) * 2 ** 12 + part(node);
}

function fromTc(list: TcJsonFilter[]): TcFilter[] {
  return list.flatMap(({ protocol, pref, kind, chain, options }) => {
    if (options === undefined) return [];
    const { bpf_name: name, prog } = options;
    return {
      priority: pref,
      handle: handleOf(options),
      protocol: etherTypes[protocol] ?? -1,
      kind,
      chain,
      ...(name === undefined ? {} : { name }),
      ...(prog === undefined ? {} : { programId: prog.id, tag: prog.tag }),
      ...(kind === "bpf" ? { directAction: options["direct-action"] === true } : {}),
    };
  });
}

const source = `
__attribute__((section("tc"), used)) int pass(void *context) { return -1; }
char _license[] __attribute__((section("license"), used)) = "GPL";
`;

describe("tcFilters", () => {
  let namespace: ScratchNetns;
  let folder: string;
  let ifindex: number;

  beforeAll(() => {
    namespace = new ScratchNetns();
    folder = mkdtempSync(join(tmpdir(), "linux-ts-"));
    const object = join(folder, "pass.o");
    writeFileSync(join(folder, "pass.c"), source);
    execFileSync("clang", ["-target", "bpf", "-O2", "-g", "-c", join(folder, "pass.c"), "-o", object]);

    namespace.ip("link add e0 type veth peer name e1");
    namespace.ip("link set e0 up");
    ifindex = link(namespace.fd, "e0")?.index ?? 0;
    namespace.tc("qdisc add dev e0 clsact".split(" "));
    const add = (args: string) => namespace.tc(`filter add dev e0 ${args}`.split(" "));
    add("ingress pref 5 protocol ip u32 match u32 0 0");
    add(`ingress pref 3 handle 1 bpf da obj ${object} sec tc`);
    add(`ingress pref 3 handle 2 bpf da obj ${object} sec tc`);
    add(`ingress pref 9 protocol ipv6 chain 4 handle 0xfffe bpf obj ${object} sec tc`);
    namespace.tc([..."filter add dev e0 ingress pref 4 bpf bytecode".split(" "), "1,6 0 0 4294967295"]);
    add(`egress pref 49152 handle 7 bpf da obj ${object} sec tc`);
  });

  afterAll(() => {
    namespace[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  it.each(["ingress", "egress"] as const)("are what tc(8) lists on %s, in the same order", async (direction) => {
    const expected = fromTc(namespace.tcJson<TcJsonFilter[]>(`filter show dev e0 ${direction}`));
    expect(tcFilters({ netns: namespace.fd, ifindex, direction })).toEqual(expected);
    expect(expected).toHaveLength(direction === "ingress" ? 6 : 1);
    expect(await tcFiltersAsync({ netns: namespace.fd, ifindex, direction })).toEqual(expected);
  });

  it("of kind bpf say which program runs, and whether its result is the verdict", () => {
    const found = tcFilters({ netns: namespace.fd, ifindex, direction: "ingress" });
    expect(found.slice(0, 3)).toMatchObject(
      [
        { priority: 3, handle: 2, directAction: true, programId: expect.any(Number), tag: /^[0-9a-f]{16}$/ },
        { priority: 3, handle: 1, directAction: true, name: "pass.o:[tc]" },
        { priority: 4, kind: "bpf", directAction: false },
      ].map(({ tag, ...rest }) => (tag === undefined ? rest : { ...rest, tag: expect.stringMatching(tag) })),
    );
    // Classic BPF is no object of its own.
    expect(found[2]).not.toHaveProperty("programId");
  });

  it("are none where there is no clsact, or no such link", async () => {
    expect(tcFilters({ netns: namespace.fd, ifindex: 1, direction: "ingress" })).toEqual([]);
    expect(tcFilters({ netns: namespace.fd, ifindex: 987_654, direction: "egress" })).toEqual([]);
    expect(await tcFiltersAsync({ netns: namespace.fd, ifindex: 987_654, direction: "egress" })).toEqual([]);
    const gone = tcFiltersAsync({ netns: 1_000_000, ifindex, direction: "ingress" });
    await expect(gone).rejects.toMatchObject({ name: "LinuxError", code: "EBADF" });
  });

  it("and their qdisc are found, while an ingress qdisc is none of it", async () => {
    const index = link(namespace.fd, "e1")?.index ?? 0;
    expect(hasClsact({ netns: namespace.fd, ifindex })).toBe(true);
    expect(hasClsact({ netns: namespace.fd, ifindex: index })).toBe(false);
    namespace.tc("qdisc add dev e1 ingress".split(" "));
    expect(hasClsact({ netns: namespace.fd, ifindex: index })).toBe(false);
    expect(hasClsact({ netns: namespace.fd, ifindex: 987_654 })).toBe(false);
    const asked = [ifindex, index, 987_654].map((each) => hasClsactAsync({ netns: namespace.fd, ifindex: each }));
    expect(await Promise.all(asked)).toEqual([true, false, false]);
    await expect(hasClsactAsync({ netns: 1_000_000, ifindex })).rejects.toMatchObject({ code: "EBADF" });
  });
});
