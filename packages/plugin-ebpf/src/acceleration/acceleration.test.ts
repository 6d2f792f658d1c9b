import { expect, test } from "vitest";
import { requireKernel } from "./kernel-release.ts";
import { podCgroup } from "./pod-cgroup.ts";

test("kernels that lose what is unread when a connection ends are refused", () => {
  for (const running of ["5.10.0-46-cloud-amd64", "5.19.17", "6.0.12"])
    expect(() => requireKernel(running)).toThrow(expect.objectContaining({ code: "ERR_ACCELERATION_UNSUPPORTED" }));
  for (const running of ["6.1.0-56-cloud-amd64", "6.18.44", "10.0.1"]) requireKernel(running);
});

test("the cgroup is the configured one, else below the first cgroup 2 hierarchy", () => {
  const mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup2 /nowhere/unified cgroup2 rw 0 0\n";
  expect(podCgroup("/sys/fs/cgroup/pods", mounts)).toBe("/sys/fs/cgroup/pods");
  expect(podCgroup("auto", mounts)).toBe("/nowhere/unified");
  expect(() => podCgroup("auto", "proc /proc proc rw 0 0\n")).toThrow(
    expect.objectContaining({ code: "ERR_ACCELERATION_UNSUPPORTED" }),
  );
});
