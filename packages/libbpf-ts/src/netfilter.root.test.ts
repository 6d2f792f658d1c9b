import { afterEach, expect, test } from "vitest";
import { attachNetfilter, attachNetfilterAsync, type NetfilterAttachment } from "./netfilter.ts";
import { BpfObject } from "./object.ts";
import { probeNetfilter } from "./probes.ts";
import { currentNetns, testObject } from "./testing/kernel.ts";
import { TestNetns } from "./testing/test-netns.ts";

const home = currentNetns();
afterEach(() => expect(currentNetns()).toBe(home));

function load(): BpfObject {
  const object = BpfObject.open(testObject("netfilter"));
  for (const { name } of object.programSpecs) object.setProgramType(name, "netfilter", "netfilter");
  object.load();
  return object;
}

function pings(netns: TestNetns): boolean {
  return netns.run("sh", "-c", "ping -c 1 -W 0.2 127.0.0.1 > /dev/null; echo $?").trim() === "0";
}

const place = { family: "ipv4", hook: "input", priority: -5 } as const satisfies Partial<NetfilterAttachment>;

test.runIf(probeNetfilter().available)("a program decides about packets at a hook of that namespace", async () => {
  using object = load();
  using netns = new TestNetns();
  netns.run("ip", "link", "set", "lo", "up");
  expect(pings(netns)).toBe(true);
  {
    using link = attachNetfilter({ ...place, program: object.program("drop"), netns: netns.fd });
    expect(pings(netns)).toBe(false);
    const info = link.info();
    expect(info).toEqual({ ...place, id: info.id, type: "netfilter", programId: object.program("drop").info.id });
    expect(() => link.update(object.program("accept"))).toThrow(expect.objectContaining({ code: "ENOTSUP" }));
    link.detach();
    expect(pings(netns)).toBe(true);
  }
  using _accept = await attachNetfilterAsync({ ...place, program: object.program("accept"), netns: netns.fd });
  expect(pings(netns)).toBe(true);
});

test.runIf(probeNetfilter().available)("what is refused", () => {
  using object = load();
  using netns = new TestNetns();
  const attachment = { ...place, program: object.program("accept"), netns: netns.fd };
  using _taken = attachNetfilter(attachment);
  expect(() => attachNetfilter(attachment)).toThrow(expect.objectContaining({ code: "EBUSY" }));
  expect(() => attachNetfilter({ ...attachment, priority: 2 ** 31 })).toThrow(RangeError);
  expect(() => attachNetfilter({ ...attachment, priority: 0.5 })).toThrow(RangeError);
  expect(() => attachNetfilter({ ...attachment, priority: -(2 ** 31) })).toThrow(
    expect.objectContaining({ name: "LibbpfError" }),
  );
  using other = BpfObject.open(testObject("maps"));
  other.load();
  expect(() => attachNetfilter({ ...attachment, program: other.program("count") })).toThrow(
    expect.objectContaining({ code: "EINVAL" }),
  );
});

test("a program of a section that libbpf does not know loads only with its type", () => {
  using object = BpfObject.open(testObject("netfilter"));
  expect(() => object.setProgramType("nothing", "netfilter")).toThrow(
    expect.objectContaining({ code: "ERR_NOT_FOUND" }),
  );
  object.setProgramType("drop", "sched_cls");
  object.setAutoload("accept", false);
  object.load();
  expect(object.program("drop").info.type).toBe("sched_cls");
  expect(() => object.setProgramType("drop", "netfilter")).toThrow(
    expect.objectContaining({ code: "ERR_ALREADY_LOADED" }),
  );
});
