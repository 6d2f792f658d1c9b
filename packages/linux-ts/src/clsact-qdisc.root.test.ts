import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deleteClsact, hasClsact, link } from "./index.ts";
import { ScratchNetns } from "./testing/scratch-netns.ts";

describe("deleteClsact", () => {
  let namespace: ScratchNetns;
  let ifindex: number;

  beforeAll(() => {
    namespace = new ScratchNetns();
    namespace.ip("link add e0 type veth peer name e1");
    ifindex = link(namespace.fd, "e0")?.index ?? 0;
  });

  afterAll(() => namespace[Symbol.dispose]());

  it("removes the qdisc of one link, filters and all, and says when there is none", () => {
    for (const name of ["e0", "e1"]) namespace.tc(["qdisc", "add", "dev", name, "clsact"]);
    namespace.tc("filter add dev e0 egress pref 5 protocol ip u32 match u32 0 0".split(" "));
    deleteClsact({ netns: namespace.fd, ifindex });
    const left = namespace
      .tcJson<{ kind: string; dev: string }[]>("qdisc show")
      .filter(({ kind }) => kind === "clsact");
    expect(left).toMatchObject([{ dev: "e1" }]);
    expect(hasClsact({ netns: namespace.fd, ifindex })).toBe(false);

    const none = expect.objectContaining({ code: expect.stringMatching(/^(ENOENT|EINVAL)$/) });
    expect(() => deleteClsact({ netns: namespace.fd, ifindex })).toThrow(none);
    const noLink = expect.objectContaining({ code: "ENODEV" });
    expect(() => deleteClsact({ netns: namespace.fd, ifindex: 987_654 })).toThrow(noLink);
  });

  it("leaves an ingress qdisc, which has the same handle, alone", () => {
    namespace.tc("qdisc add dev e0 ingress".split(" "));
    expect(() => deleteClsact({ netns: namespace.fd, ifindex })).toThrow(expect.objectContaining({ code: "EINVAL" }));
    const kinds = namespace.tcJson<{ kind: string }[]>("qdisc show dev e0").map(({ kind }) => kind);
    expect(kinds).toContain("ingress");
  });
});
