import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { attachment, binary, networkConfig } from "./support/plugin.ts";
import { scriptedAgent } from "./support/scripted-agent.ts";

const uid = "0b8d3e5c-1a2f-4c3d-9e8f-001122334455";
const underscored = uid.replaceAll("-", "_");
const args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart;K8S_POD_INFRA_CONTAINER_ID=c1";
const sandbox = `/proc/${process.pid}/ns/net`;

/** Executes the plugin where this process, which stands for the sandbox's, is in these cgroups: in a mount namespace of its own. */
async function plugin(command: string, env: Record<string, string>, cgroups: string, socket: string) {
  const directory = mkdtempSync(join(tmpdir(), "millrace-cni-"));
  try {
    const file = join(directory, "cgroup");
    writeFileSync(file, cgroups);
    const script = 'mount --bind "$1" "/proc/$2/cgroup" && exec "$3"';
    const child = spawn("unshare", ["--mount", "sh", "-c", script, "sh", file, `${process.pid}`, binary], {
      env: { PATH: process.env.PATH, ...attachment, CNI_COMMAND: command, CNI_ARGS: args, ...env },
      timeout: 30_000,
    });
    child.stdin.end(JSON.stringify(networkConfig({ socket })));
    const closed = once(child, "close");
    const [stdout, stderr, [exit]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
    return { exit, stdout, stderr };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test.each([
  [
    "driver systemd",
    `0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${underscored}.slice/docker-c1.scope`,
  ],
  ["a pod of class guaranteed", `0::/kubepods.slice/kubepods-pod${underscored}.slice/docker-c1.scope\n`],
  ["driver cgroupfs", `12:memory:/kubepods/burstable/pod${uid}/c1\n11:pids:/kubepods/burstable/pod${uid}/c1\n`],
  ["another cgroup namespace", `0::/../../kubepods-pod${underscored}.slice/docker-c1.scope\n`],
])("a uid that CNI_ARGS does not say is that of the sandbox's cgroup: %s", async (_, cgroups) => {
  await using agent = await scriptedAgent();
  for (const command of ["ADD", "DEL"]) {
    expect(await plugin(command, { CNI_NETNS: sandbox }, cgroups, agent.socket)).toMatchObject({ exit: 0, stderr: "" });
  }
  const pod = { namespace: "shop", name: "cart", uid };
  expect(agent.requests.map((line) => JSON.parse(line))).toMatchObject([
    { command: "ADD", netns: sandbox, pod },
    { command: "DEL", netns: sandbox, pod },
  ]);
});

test("the uid of CNI_ARGS counts where it is said", async () => {
  await using agent = await scriptedAgent();
  const env = { CNI_NETNS: sandbox, CNI_ARGS: `${args};K8S_POD_UID=said` };
  expect(await plugin("ADD", env, `0::/kubepods/pod${uid}/c1`, agent.socket)).toMatchObject({ exit: 0 });
  expect(agent.requests.map((line) => JSON.parse(line))).toMatchObject([{ pod: { uid: "said" } }]);
});

test.each([
  ["no pod's cgroup", sandbox, "0::/system.slice/docker-c1.scope\n"],
  ["a name like a pod's", sandbox, "0::/pods/podman-1.slice/pod/pod.slice/podx\n"],
  ["an endless name", sandbox, `0::/pod${"a".repeat(100)}/c1\n`],
  ["a namespace of a name", "/run/netns/cart", `0::/kubepods/pod${uid}/c1\n`],
  ["no process by number", "/proc/self/ns/net", `0::/kubepods/pod${uid}/c1\n`],
  ["a process that is gone", "/proc/4194305/ns/net", `0::/kubepods/pod${uid}/c1\n`],
])("%s tells no uid: ADD is code 4, DEL succeeds", async (_, CNI_NETNS, cgroups) => {
  await using agent = await scriptedAgent();
  const refused = await plugin("ADD", { CNI_NETNS }, cgroups, agent.socket);
  expect(JSON.parse(refused.stdout)).toMatchObject({ code: 4, msg: expect.stringContaining("K8S_POD_UID") });
  expect(await plugin("DEL", { CNI_NETNS }, cgroups, agent.socket)).toMatchObject({ exit: 0, stdout: "" });
  expect(agent.requests).toEqual([]);
});
