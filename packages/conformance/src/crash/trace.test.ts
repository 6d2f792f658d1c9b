import { expect, it } from "vitest";
import { parseTrace } from "./trace.ts";

it("reads a call, its arguments and what it returned", () => {
  expect(parseTrace('mkdir("/run/a (b)", 0777)         = 0\n', 7)).toEqual([
    { tid: 7, name: "mkdir", args: '"/run/a (b)", 0777', result: "0", delayed: false },
  ]);
});

it("reads an error, a descriptor with its file, and a call that was held at its return", () => {
  const [failed, opened, held] = parseTrace(
    [
      'rmdir("/sys/fs/bpf/millrace")           = -1 ENOTEMPTY (Directory not empty)',
      'bpf(BPF_OBJ_GET, {pathname="/sys/fs/bpf/x"}, 144) = 25<anon_inode:bpf-map>',
      'mkdir("/run/a", 0777)                   = 0 (DELAYED)',
    ].join("\n"),
    1,
  );
  expect(failed).toMatchObject({ name: "rmdir", result: "-1", delayed: false });
  expect(opened).toMatchObject({ name: "bpf", result: "25" });
  expect(held).toMatchObject({ name: "mkdir", delayed: true });
});

it("reads a call that the process did not live to see the end of", () => {
  expect(parseTrace('mkdir("/run/a", 0777)         = ?\n', 1)).toMatchObject([{ name: "mkdir", result: "?" }]);
  expect(parseTrace("12 fdatasync(17 <unfinished ...>\n12 +++ killed by SIGKILL +++\n")).toMatchObject([
    { tid: 12, name: "fdatasync", args: "17", result: "?" },
  ]);
});

it("puts together what another thread came into, in the order in which the calls began", () => {
  const text = [
    "12 bpf(BPF_LINK_CREATE, {link_create={prog_fd=5}} <unfinished ...>",
    '13 pwrite64(17</var/events.db-wal>, "\\1"..., 24, 0) = 24',
    "12 <... bpf resumed>, 64)  = 31<anon_inode:bpf_link>",
  ].join("\n");
  expect(parseTrace(text)).toEqual([
    { tid: 12, name: "bpf", args: "BPF_LINK_CREATE, {link_create={prog_fd=5}}, 64", result: "31", delayed: false },
    { tid: 13, name: "pwrite64", args: '17</var/events.db-wal>, "\\1"..., 24, 0', result: "24", delayed: false },
  ]);
});
