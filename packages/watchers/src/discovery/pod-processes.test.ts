import { expect, test } from "vitest";
import { belongsToPod, parseCgroups, parseStartTime } from "./pod-processes.ts";

const uid = "0b8d3e5c-1a2f-4c3d-9e8f-001122334455";
const container = "4f1d".repeat(16);
const process = (cgroup: string) => ({ pid: 1, startedAt: 1, cgroups: parseCgroups(cgroup) });

test.each([
  [
    "version 2, systemd driver",
    `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uid.replaceAll("-", "_")}.slice/cri-containerd-${container}.scope\n`,
  ],
  [
    "version 2, systemd driver, guaranteed",
    `0::/kubepods.slice/kubepods-pod${uid.replaceAll("-", "_")}.slice/crio-${container}.scope\n`,
  ],
  ["version 2, cgroupfs driver", `0::/kubepods/besteffort/pod${uid}/${container}\n`],
  ["version 1", `12:cpuset:/\n4:memory:/kubepods/burstable/pod${uid}/${container}\n1:name=systemd:/\n`],
  ["seen from a cgroup namespace", `0::/../../kubepods/pod${uid}/${container}\n`],
  [
    "nested kubelet (kind)",
    `0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${uid.replaceAll("-", "_")}.slice\n`,
  ],
  ["a path with colons", `0::/kubepods/pod${uid}/cri-containerd:${container}\n`],
])("knows a pod's process: %s", (_, cgroup) => {
  expect(belongsToPod(process(cgroup), uid)).toBe(true);
});

test.each([
  ["another pod", `0::/kubepods/pod${uid.replace("0b8d", "0b8e")}/${container}\n`],
  ["a uid that begins like it", `0::/kubepods/pod${uid}0/${container}\n`],
  ["a name that ends like it", `0::/kubepods/notpod${uid}\n`],
  ["a slice that ends like it", `0::/kubepods.slice/notpod${uid.replaceAll("-", "_")}.slice\n`],
  ["a container that is named like it", `0::/system.slice/my-pod${uid}.service\n`],
  ["none", "0::/init.scope\n"],
  ["a process that ended", ""],
])("does not take for it: %s", (_, cgroup) => {
  expect(belongsToPod(process(cgroup), uid)).toBe(false);
});

test("finds the start time behind any command name", () => {
  const rest = "S 1 2 3 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 98765 4 5 6";
  expect(parseStartTime(`42 (sh) ${rest}`)).toBe(98765);
  expect(parseStartTime(`42 (a) b) S 1 (c) ${rest}`)).toBe(98765);
  expect(parseStartTime("")).toBeUndefined();
});
