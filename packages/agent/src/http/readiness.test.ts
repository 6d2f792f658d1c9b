import type { InstallState } from "@millrace/cni-install";
import { expect, test } from "vitest";
import { someStatus } from "../testing/some-status.test.kit.ts";
import { type ReadinessFacts, readiness } from "./readiness.ts";

const installed: InstallState = {
  version: 1,
  state: "installed",
  since: "2026-01-02T03:00:00.000Z",
  pid: 1,
  detail: "/etc/cni/net.d/10-net.conflist has our entry",
  warnings: [],
  writes: 2,
};
const good: ReadinessFacts = { status: someStatus(), cniSocketOpen: true, install: installed };

const reasons = (facts: Partial<ReadinessFacts>) =>
  Object.fromEntries(
    readiness({ ...good, ...facts })
      .filter(({ ok }) => !ok)
      .map(({ name, reason }) => [name, reason]),
  );

test("all is well", () => {
  expect(readiness(good)).toEqual(
    ["redirection", "kernel", "watches", "cni-socket", "cni-plugin"].map((name) => ({ name, ok: true })),
  );
});

test("each condition says why it does not hold", () => {
  const { agent, watches } = good.status;
  expect(reasons({ status: someStatus({ agent: { ...agent, problem: "ERR_X: no bpffs" } }) })).toEqual({
    redirection: "ERR_X: no bpffs",
  });
  expect(reasons({ status: someStatus({ observation: undefined }) })).toEqual({
    kernel: "the kernel has not been read yet",
  });
  const unread = { since: good.status.time, attempts: 1, code: "EPERM", message: "not today" };
  expect(reasons({ status: someStatus({ unread }) })).toEqual({
    kernel: "the kernel cannot be read: EPERM: not today; it was last read at 2026-01-02T03:00:00.000Z",
  });
  const problems = ["map members is missing", "pins are missing"];
  const observation = { time: good.status.time, problems, nodeAddresses: [] };
  expect(reasons({ status: someStatus({ observation }) })).toEqual({
    kernel: "map members is missing; pins are missing",
  });
  const lost = [
    ...watches,
    { name: "kubernetes-pods", state: "lost" as const, reason: "HTTP 403" },
    { name: "kubernetes-node", state: "waiting" as const },
  ];
  expect(reasons({ status: someStatus({ watches: lost }) })).toEqual({
    watches: "kubernetes-pods is lost: HTTP 403; kubernetes-node is waiting",
  });
  expect(reasons({ cniSocketOpen: false })).toEqual({ "cni-socket": "the socket is not open" });
});

test("the CNI plugin counts where the agent installs it", () => {
  expect(reasons({ install: undefined })).toEqual({ "cni-plugin": "the CNI directories have not been looked at yet" });
  const refused = { ...installed, state: "refused" as const, detail: "10-net.conf cannot take our entry" };
  expect(reasons({ install: refused })).toEqual({ "cni-plugin": "refused: 10-net.conf cannot take our entry" });
  expect(readiness({ ...good, install: "not ours" }).map(({ name }) => name)).not.toContain("cni-plugin");
});
