import { mkdirSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Agent } from "./testing/agent.ts";
import { NodeBox } from "./testing/node-box.ts";

let box: NodeBox;
beforeAll(async () => {
  box = await NodeBox.create();
});
afterAll(() => box[Symbol.dispose]());

const withoutCapabilities = (...names: string[]) => {
  const list = names.map((name) => `-${name}`).join(",");
  return ["setpriv", `--bounding-set=${list}`, `--inh-caps=${list}`];
};
const missing = async (agent: Agent) =>
  (await agent.probe()).features.filter(({ available, required }) => required && !available).map(({ name }) => name);

it("says that there is no BPF file system, and how to mount one", async () => {
  const bpffs = `${box.directory}/plain`;
  mkdirSync(bpffs);
  await expect(Agent.open(box, { bpffs })).rejects.toMatchObject({
    code: "ERR_BPFFS_MISSING",
    message: expect.stringContaining(`mount -t bpf bpf ${bpffs}`),
  });
  await using agent = Agent.start(box, { bpffs });
  expect(await missing(agent)).toEqual(["bpf.fs"]);
});

it("says that the BPF file system is read-only", async () => {
  const bpffs = `${box.directory}/readonly`;
  mkdirSync(bpffs);
  box.inside("mount", "-t", "bpf", "-o", "ro", "bpf", bpffs);
  await expect(Agent.open(box, { bpffs })).rejects.toMatchObject({
    code: "ERR_BPFFS_READ_ONLY",
    message: expect.stringContaining("remount,rw"),
  });
  await using agent = Agent.start(box, { bpffs });
  expect(await missing(agent)).toEqual(["bpf.fs"]);
});

it("says which capabilities it needs", async () => {
  const wrap = withoutCapabilities("sys_admin", "bpf");
  await expect(Agent.open(box, { wrap })).rejects.toMatchObject({
    code: "ERR_NOT_PERMITTED",
    message: expect.stringMatching(/CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN/),
  });
  await using agent = Agent.start(box, { wrap });
  const names = await missing(agent);
  expect(names).toEqual(
    expect.arrayContaining(["capability.CAP_BPF", "capability.CAP_SYS_ADMIN", "bpf.syscall", "bpf.node_object"]),
  );
  expect(names).not.toContain("capability.CAP_NET_ADMIN");
});

it("finds this host capable, and changes nothing in finding out", async () => {
  const before = box.inside("find", box.directory);
  await using agent = Agent.start(box);
  const probe = await agent.probe();
  expect(probe).toMatchObject({
    capable: true,
    summary: expect.stringMatching(/^keeps all of the contract on Linux .* by tcx links$/),
  });
  expect(probe.features.filter(({ available }) => !available)).toEqual([]);
  expect(box.inside("find", box.directory)).toBe(before);
});
