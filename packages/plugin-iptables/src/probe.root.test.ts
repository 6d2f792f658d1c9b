import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Feature, Probe } from "@millrace/core";
import { BackendProcess } from "@millrace/host/testing";
import { ScratchNetns } from "linux-ts/testing";
import { afterEach, expect, test, vi } from "vitest";
import { configSchema } from "./config.ts";
import { probe, usableTunnel } from "./probe.ts";
import { nftNeed, nftOnHost } from "./probe-nft.ts";

afterEach(() => void vi.unstubAllEnvs());

const ask = (config: object = {}, signal = new AbortController().signal): Promise<Probe> =>
  probe({ config: configSchema.parse(config), signal });

const feature = ({ features }: Probe, name: string): Feature | undefined => features.find((each) => each.name === name);

/** A program of ours in front of the real one: what a kernel or an image would say that cannot be had here. `$REAL` is the real one. */
function instead(name: string, script: string): Disposable {
  const directory = mkdtempSync(join(tmpdir(), "mr-ipt-path-"));
  const real = execFileSync("which", [name], { encoding: "utf8" }).trim();
  writeFileSync(join(directory, name), `#!/bin/sh\nREAL=${real}\n${script}\n`, { mode: 0o755 });
  vi.stubEnv("PATH", `${directory}:${process.env.PATH}`);
  return { [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}

test("this kernel can, in either flavour, and the host is as before", async () => {
  const state = () =>
    execFileSync("sh", ["-c", "nft list ruleset; ip rule; ip -6 rule; ip route show table all; ipset list"]);
  const before = state();
  for (const flavour of ["auto", "nft", "legacy"]) {
    const found = await ask({ flavour });
    expect(found.features.filter(({ available, required }) => required && !available)).toEqual([]);
    expect(found).toMatchObject({
      capable: true,
      summary: expect.stringMatching(/^keeps all of the contract.*iptables-/),
    });
    if (flavour !== "auto") expect(found.summary).toContain(`iptables-${flavour} (the configuration says so)`);
  }
  expect(state()).toEqual(before);
});

test("every feature is told once, with a name, both families and what trying it said", async () => {
  const { features } = await ask();
  const names = features.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of ["iptables.tproxy", "iptables.zone", "iptables.netmap", "routing.rules", "ipset.hash:net,iface"]) {
    expect(names).toContain(`${name}.ipv4`);
    expect(names).toContain(`${name}.ipv6`);
  }
  for (const each of features) expect(each.detail).not.toBe("");
});

test("a tunnel that the kernel lacks is told; the other serves unless the configuration insists", () => {
  const features = (geneve: boolean, vxlan: boolean): Feature[] =>
    [geneve, vxlan].map((available, index) => ({
      name: `tunnel.${index === 0 ? "geneve" : "vxlan"}`,
      description: "",
      required: false,
      detail: "",
      available,
    }));
  expect(usableTunnel("auto", features(true, true)).kind).toBe("geneve");
  expect(usableTunnel("auto", features(false, true)).kind).toBe("vxlan");
  expect(usableTunnel("vxlan", features(true, true)).kind).toBe("vxlan");
  expect(usableTunnel("geneve", features(false, true))).toMatchObject({
    kind: undefined,
    feature: { available: false, required: true, detail: expect.stringContaining("no geneve") },
  });
  expect(usableTunnel("auto", features(false, false)).feature.detail).toContain("no geneve and no vxlan");
});

test("a kernel that refuses a target makes it missing, with the kernel's words and the module", async () => {
  using _ = instead(
    "iptables-nft-restore",
    `input=$(cat)
case "$input" in *TPROXY*) echo "Warning: Extension TPROXY revision 0 not supported, missing kernel module?" >&2; exit 4;; esac
printf '%s\\n' "$input" | exec $REAL "$@"`,
  );
  const found = await ask({ flavour: "nft" });
  expect(found).toMatchObject({ capable: false, summary: "missing: iptables.tproxy.ipv4" });
  expect(feature(found, "iptables.tproxy.ipv4")?.detail).toMatch(/Extension TPROXY.*load xt_TPROXY, nft_compat/);
});

test("without ipset nothing works, and the package is named", async () => {
  using _ = instead("ipset", 'echo "ipset v7.17: Cannot open session to kernel." >&2; exit 1');
  const found = await ask({ flavour: "nft" });
  expect(found.capable).toBe(false);
  expect(found.summary).toMatch(/^missing: program\.ipset, ipset\.hash:net,iface\.ipv4,.*iptables\.set-target\.ipv6$/);
  expect(feature(found, "program.ipset")?.detail).toMatch(/Cannot open session.*apt install ipset/);
});

test("a kernel with one flavour only takes that one; with neither it cannot", async () => {
  const refusal = 'echo "iptables: Could not fetch rule set generation id: Invalid argument" >&2; exit 4';
  using _nft = instead("iptables-nft-restore", refusal);
  expect(feature(await ask(), "iptables.flavour")).toMatchObject({
    available: true,
    detail: expect.stringMatching(/^legacy: nft does not work: .*generation id/),
  });
  using _legacy = instead("iptables-legacy-restore", refusal);
  const found = await ask();
  expect(found).toMatchObject({ capable: false, summary: "missing: iptables.flavour" });
  expect(feature(found, "iptables.flavour")?.detail).toContain("neither flavour");
});

test("a small matter that is missing does not make it incapable", async () => {
  using _ = instead("nft", 'echo "nft: not here" >&2; exit 1');
  const found = await ask({ flavour: "legacy" });
  expect(feature(found, "program.nft")).toMatchObject({ available: false, required: false });
  expect(found.capable).toBe(true);
});

test("where kube-proxy is in its nftables mode nft(8) is needed, and the reason says why", async () => {
  const reason = nftNeed({ available: true, kubeProxy: "ip kube-proxy" });
  expect(reason).toContain("table ip kube-proxy");
  expect(nftNeed({ available: true, kubeProxy: undefined })).toBeUndefined();

  using scratch = new ScratchNetns();
  expect(nftOnHost(scratch.fd)).toEqual({ available: true, kubeProxy: undefined });
  scratch.sh("nft add table ip kube-proxy");
  expect(nftOnHost(scratch.fd)).toEqual({ available: true, kubeProxy: "ip kube-proxy" });
  const told = async (): Promise<Probe> => {
    const settings = { module: "./index.ts", from: import.meta.url, config: { flavour: "nft" } };
    await using backend = new BackendProcess([`--net=${scratch.path}`], {
      ...settings,
      host: { bpffs: "", journal: "" },
    });
    return await backend.probe();
  };
  expect(feature(await told(), "program.nft")).toMatchObject({ available: true, required: true });
  using _ = instead("nft", 'echo "nft: not here" >&2; exit 1');
  expect(await told()).toMatchObject({ capable: false, summary: `missing: program.nft (${reason})` });
});

test("a kernel without the sets and states that rules name makes it incapable", async () => {
  using _ = instead(
    "iptables-legacy-restore",
    `input=$(cat)
case "$input" in *"-j SET"*|*SNAT,DNAT*) echo "iptables-restore: line 3 failed" >&2; exit 1;; esac
printf '%s\\n' "$input" | exec $REAL "$@"`,
  );
  using __ = instead(
    "ipset",
    `input=$(cat)
case "$input" in *hash:ip,port,ip*) echo "ipset v7.17: Kernel error received: set type not supported" >&2; exit 1;; esac
printf '%s\\n' "$input" | exec $REAL "$@"`,
  );
  const { summary, capable } = await ask({ flavour: "legacy" });
  expect(capable).toBe(false);
  for (const name of ["ipset.hash:ip,port,ip.ipv6", "iptables.set-target.ipv4", "iptables.nat-state.ipv4"]) {
    expect(summary).toContain(name);
  }
});

test("an abort ends it", async () => {
  const controller = new AbortController();
  const running = ask({}, controller.signal);
  controller.abort(new Error("agent stops"));
  await expect(running).rejects.toThrow();
});
