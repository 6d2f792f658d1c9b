import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { behaviours, runSuite } from "@millrace/conformance";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { render } from "../chart/render.ts";
import { run, TestImage } from "../testing/image.test.kit.ts";
import { containerOf, only } from "../testing/objects.test.kit.ts";

const MIB = 1024 * 1024;

/** `millrace doctor --json`, packages/agent/src/doctor/diagnosis.ts. */
const diagnosisSchema = z.object({
  backends: z.array(z.object({ name: z.string(), probe: z.object({ capable: z.boolean() }) })),
});

let image: TestImage;
beforeAll(async () => {
  image = await TestImage.build();
}, 600_000);
afterAll(() => image?.[Symbol.dispose]());

/** What the chart lets the agent do. */
const capabilities = (): string[] =>
  containerOf(only(render(), "DaemonSet", "millrace-agent")).securityContext.capabilities.add.map((name) =>
    name.toLowerCase(),
  );

/** As runtimes have it for an image that sets none; of the tests' own environment a container has nothing. */
const ENVIRONMENT = [
  "env",
  "--ignore-environment",
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
];

/**
 * A command that runs in the image's root file system with these capabilities and no others, in a mount namespace of its own. What a
 * pod has from its node is the machine's. Each program replaces the one before, so signals reach the last.
 */
function inImage(allowed: readonly string[], ...command: readonly string[]): string[] {
  const mounts = "for d in proc sys dev run tmp; do mount --rbind /$d $0/$d; done; mount -t bpf bpf $0/sys/fs/bpf";
  const bounding = ["-all", ...allowed.map((name) => `+${name}`)].join(",");
  return [
    ...["unshare", "--mount", "--", "sh", "-ec", `${mounts}; exec chroot "$0" "$@"`, image.root],
    ...[...ENVIRONMENT, "setpriv", `--bounding-set=${bounding}`, "--", ...command],
  ];
}

function inImageSync(allowed: readonly string[], ...command: readonly string[]): string {
  const [program = "", ...args] = inImage(allowed, ...command);
  return run(program, ...args);
}

describe("what is in the image", () => {
  test("less than 200 MB, in one layer", () => {
    expect(Number(run("du", "--summarize", "--bytes", image.root).split("\t")[0])).toBeLessThan(200e6);
  });

  test("it starts the agent", () => {
    expect(image.config()).toMatchObject({ Entrypoint: ["/usr/local/bin/millrace-entrypoint"], Cmd: ["agent"] });
  });

  test("the CNI plugin where the agent looks for it, static and small", () => {
    const plugin = join(image.root, "usr/lib/millrace/cni/millrace");
    expect(readFileSync(plugin).length).toBeLessThan(MIB / 5);
    expect(JSON.parse(run("env", "CNI_COMMAND=VERSION", plugin)).supportedVersions).toContain("1.1.0");
  });

  test("licences of what Debian does not bring", () => {
    const documents = join(image.root, "usr/share/doc/millrace");
    for (const file of ["LICENSE", "bpf/LICENSE.GPL-2.0", "bpf/LICENSE.BSD-2-Clause", "node/LICENSE"]) {
      expect(existsSync(join(documents, file)), file).toBe(true);
    }
    const notices = readFileSync(join(documents, "THIRD-PARTY-NOTICES"), "utf8");
    expect(notices).toMatch(/^zod \d/m);
    expect(notices).toMatch(/^rxjs \d/m);
    expect(existsSync(join(image.root, "usr/share/doc/iproute2/copyright"))).toBe(true);
  });

  test("nothing that only building needs", () => {
    for (const path of ["packages.sh", "var/lib/apt/lists", "usr/share/man"]) {
      expect(existsSync(join(image.root, path)), path).toBe(false);
    }
  });
});

describe("millrace in the image, with what the chart lets it do", () => {
  test("the doctor finds both backends capable", () => {
    const { backends } = diagnosisSchema.parse(JSON.parse(inImageSync(capabilities(), "millrace", "doctor", "--json")));
    expect(Object.fromEntries(backends.map(({ name, probe }) => [name, probe.capable]))).toEqual({
      ebpf: true,
      iptables: true,
    });
  });

  test.each(["net_admin", "sys_admin"])("and none without %s", (missing) => {
    const rest = capabilities().filter((name) => name !== missing);
    const notCapable = expect.objectContaining({ status: 3 }); // packages/agent/src/exit-codes.ts
    expect(() => inImageSync(rest, "millrace", "doctor")).toThrow(notCapable);
  });

  test("sys_ptrace is what shows whose namespace another user's process is in", async () => {
    const process_ = spawn("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", "sleep", "30"]);
    try {
      await new Promise((resolve) => process_.once("spawn", resolve));
      await expect.poll(() => readFileSync(`/proc/${process_.pid}/status`, "utf8")).toMatch(/^Uid:\s+65534/m);
      const look = ["readlink", `/proc/${process_.pid}/ns/net`];
      expect(inImageSync(capabilities(), ...look)).toMatch(/^net:\[\d+\]$/);
      const rest = capabilities().filter((name) => name !== "sys_ptrace");
      expect(() => inImageSync(rest, ...look)).toThrow();
    } finally {
      process_.kill();
    }
  });

  test("the entrypoint makes the sysctls of networks writable, and no others", () => {
    // What a runtime does for a container that is not privileged, and the volume of the chart.
    mkdirSync(join(image.root, "host/proc/sys/net"), { recursive: true });
    const stage = [
      'mount --rbind /dev "$0/dev"; mount -t proc proc "$0/proc"',
      'mount --bind "$0/proc/sys" "$0/proc/sys"; mount -o remount,bind,ro "$0/proc/sys"',
      'mount --bind /proc/sys/net "$0/host/proc/sys/net"',
      'exec chroot "$0" "$@"',
    ].join("; ");
    const probe = join(image.root, "opt/probe");
    mkdirSync(probe, { recursive: true });
    writeFileSync(
      join(probe, "millrace"),
      [
        "#!/bin/sh",
        "set -e",
        "echo 2 >/proc/sys/net/ipv4/conf/lo/rp_filter",
        "echo written $(cat /proc/sys/net/ipv4/conf/lo/rp_filter)",
        "(echo 1 >/proc/sys/kernel/domainname) 2>/dev/null && echo domainname || echo refused",
        "",
      ].join("\n"),
      { mode: 0o755 },
    );
    const bounding = ["-all", ...capabilities().map((name) => `+${name}`)].join(",");
    const output = run(
      ...(["unshare", "--mount", "--net", "--uts", "--", "sh", "-ec", stage, image.root] as const),
      ...["setpriv", `--bounding-set=${bounding}`, "--"],
      ...["env", "PATH=/opt/probe:/usr/bin:/bin", "/usr/local/bin/millrace-entrypoint"],
    );
    expect(output.split("\n")).toEqual(["written 2", "refused"]);
  });

  const backends = [
    { backend: "ebpf", backendConfig: { attach: "clsact" } },
    { backend: "iptables", backendConfig: { flavour: "nft" } },
    { backend: "iptables", backendConfig: { flavour: "legacy" } },
  ];
  test.each(backends)("its agent redirects by $backend $backendConfig", { timeout: 240_000 }, async (options) => {
    const chosen = behaviours.filter(({ id }) =>
      ["outbound-tcp", "inbound-plaintext", "x-rp-filter-strict"].includes(id),
    );
    const { results, logFailures } = await runSuite({
      ...options,
      plugins: [],
      prefix: "mrimg",
      agentCommand: inImage(capabilities(), "millrace"),
      behaviours: chosen,
      temperatures: ["cold"],
    });
    expect(results.filter(({ passed }) => !passed)).toEqual([]);
    expect(logFailures).toEqual([]);
    expect(results).toHaveLength(5); // both families, but for IPv4's reverse path filter
  });
});
