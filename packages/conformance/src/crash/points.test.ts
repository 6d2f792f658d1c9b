import { describe, expect, it } from "vitest";
import { type Change, changesOf, isAt, pointsOf, type Role, renderPoint, spread } from "./points.ts";
import { parseTrace } from "./trace.ts";

const ROOT = "/run/lab/n1";
const roles = new Map<number, Role>([
  [10, "main"],
  [11, "pool"],
  [12, "log"],
]);
const changes = (...lines: readonly string[]) => changesOf(parseTrace(lines.join("\n")), roles, ROOT);

describe("what an agent changes", () => {
  it("is told from what it reads, and counted with it: strace counts all calls of a name", () => {
    const found = changes(
      '10 bpf(BPF_MAP_LOOKUP_ELEM, {map_fd=20<anon_inode:bpf-map>, key="\\1"}, 32) = 0',
      '10 bpf(BPF_OBJ_PIN, {pathname="/run/lab/n1/bpf/millrace/v1/maps/members", bpf_fd=4}, 24) = 0',
      "11 bpf(BPF_LINK_CREATE, {link_create={prog_fd=5, attach_type=BPF_TCX_INGRESS, flags=0}}, 64) = 30<anon_inode:bpf_link>",
    );
    expect(found).toEqual([
      { role: "main", call: "bpf", gist: "bpf OBJ_PIN v1/maps/members", ordinal: 2, sides: ["before", "after"] },
      { role: "pool", call: "bpf", gist: "bpf LINK_CREATE BPF_TCX_INGRESS", ordinal: 1, sides: ["before", "after"] },
    ]);
  });

  it.each([
    ["RTM_NEWRULE", "RTM_NEWRULE"],
    ["0x20", "RTM_NEWRULE"],
    ["0x19", "RTM_DELROUTE"],
    ["0x102", "CT_DELETE"],
  ])("is a message to the kernel that is no question: %s", (type, name) => {
    const ask = (asked: string) =>
      `10 sendmsg(21<socket:[9]>, {msg_name={sa_family=AF_NETLINK}, msg_iov=[{iov_base={nlmsg_len=32, nlmsg_type=${asked} /* x */}}]}, 0) = 32`;
    const found = changes(ask("RTM_GETLINK"), ask("0x12"), ask("0x101"), ask(type));
    expect(found).toMatchObject([{ gist: `sendmsg ${name}`, ordinal: 4 }]);
  });

  it("is a sysctl or a note that is written, by the file: other writes are not counted", () => {
    const found = changes(
      '10 write(1</dev/null>, "x", 1) = 1',
      '10 write(25</proc/sys/net/ipv4/conf/h-m1/rp_filter>, "0", 1) = 1',
      '10 rename("/run/lab/n1/journal/a-8412.new", "/run/lab/n1/journal/a") = 0',
      '10 unlinkat(27</run/lab/n1/bpf/millrace/v1/links>, "ingress", 0) = 0',
      '10 unlink("/tmp/else") = 0',
    );
    const path = "/proc/sys/net/ipv4/conf/h-m1/rp_filter";
    expect(found).toMatchObject([
      { call: "write", path, ordinal: 1 },
      { gist: "rename journal/a", ordinal: 1 },
      { gist: "unlinkat bpf/millrace/v1/links/ingress", ordinal: 1 },
    ]);
  });

  it("is an event that is appended, by the log's own thread", () => {
    const append = (tid: number) => `${tid} pwrite64(17</run/lab/n1/events.db-wal>, "\\0"..., 24, 0) = 24`;
    expect(changes(append(10), append(12), "12 fdatasync(17</run/lab/n1/events.db-wal>) = 0")).toMatchObject([
      { role: "log", gist: "pwrite64 events.db-wal", ordinal: 1 },
      { role: "log", gist: "fdatasync events.db-wal", ordinal: 1 },
    ]);
  });

  it("is a program that changes something: before it starts, while it runs on alone, and when it has ended", () => {
    const started = (pid: number, ...words: readonly string[]) => [
      `10 clone(child_stack=NULL, flags=SIGCHLD) = ${pid}`,
      `${pid} execve("/usr/bin/nsenter", ${JSON.stringify(["nsenter", "--net=/proc/self/fd/3", ...words])}, 0x7 /* 9 vars */) = 0`,
      `${pid} execve("/usr/sbin/${words[0]}", ${JSON.stringify(words)}, 0x7 /* 9 vars */) = 0`,
      `10 wait4(${pid}, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], WNOHANG, NULL) = ${pid}`,
    ];
    const found = changes(
      ...started(87, "ip", "-N", "-d", "-j", "-6", "rule", "show"),
      ...started(88, "nft", "--check", "-f", "-"),
      ...started(89, "iptables-nft-save"),
      ...started(90, "ipset", "save"),
      ...started(91, "ipset", "restore", "-exist"),
    );
    expect(pointsOf("v", "o", found).map(renderPoint)).toEqual([
      "v × o × clone ipset restore -exist #5 × before",
      "v × o × clone ipset restore -exist #5 × after",
      "v × o × wait4 ipset restore -exist #5 × after",
    ]);
  });
});

describe("a point", () => {
  const [point] = pointsOf(
    "v",
    "o",
    changes('10 bpf(BPF_OBJ_PIN, {pathname="/run/lab/n1/bpf/millrace/v1/maps/members"}, 24) = 0'),
  );
  const call = (args: string) => ({ tid: 10, name: "bpf", args, result: "?", delayed: false });

  it("is not another call that has come to have its number", () => {
    if (point === undefined) throw new Error("no point");
    expect(isAt(point, call('BPF_OBJ_PIN, {pathname="/run/lab/n1/bpf/millrace/v1/maps/members"}, 24'), ROOT)).toBe(
      true,
    );
    expect(isAt(point, call('BPF_OBJ_PIN, {pathname="/run/lab/n1/bpf/millrace/v1/maps/workloads"}, 24'), ROOT)).toBe(
      false,
    );
    expect(isAt(point, call("BPF_MAP_UPDATE_ELEM, {map_fd=4}, 32"), ROOT)).toBe(false);
  });
});

it("spreads evenly, and with another phase tries others", () => {
  expect(spread([1, 2, 3, 4, 5, 6], 3, 0)).toEqual([1, 3, 5]);
  expect(spread([1, 2, 3, 4, 5, 6], 3, 0.5)).toEqual([2, 4, 6]);
  expect(spread([1, 2, 3, 4, 5, 6], 1, 0.999)).toEqual([6]);
  expect(spread([1, 2], 3, 0.5)).toEqual([1, 2]);
});

it("of calls that are as many as there are connections, the first is a point, and none that is numbered behind it", () => {
  const change = (gist: string, ordinal: number, role: Role = "main"): Change => ({
    role,
    call: "sendmsg",
    gist: `sendmsg ${gist}`,
    ordinal,
    sides: ["before"],
  });
  const changes = [
    change("RTM_NEWROUTE", 1),
    change("CT_DELETE", 2),
    change("CT_DELETE", 3),
    change("RTM_DELROUTE", 4),
  ];
  expect(
    pointsOf("v", "o", [...changes, change("RTM_DELROUTE", 1, "pool")]).map(({ ordinal, role }) => [ordinal, role]),
  ).toEqual([
    [1, "main"],
    [2, "main"],
    [1, "pool"],
  ]);
});
