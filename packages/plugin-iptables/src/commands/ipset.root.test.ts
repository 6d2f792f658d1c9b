import { ScratchNetns } from "linux-ts/testing";
import { expect, test } from "vitest";
import { ipsetNames, ipsetRestore, ipsetSave } from "./ipset.ts";

test("sets and entries are read back; doing it again changes nothing", async () => {
  using there = new ScratchNetns();
  const at = { netns: there.fd };
  const text = "create mr-a hash:net,iface family inet6 timeout 0\nadd mr-a 2001:2::1,eth0\ncreate mr-b hash:ip\n";
  await ipsetRestore(text, at);
  const first = await ipsetSave(at);
  await ipsetRestore(text, at);
  expect(await ipsetSave(at)).toEqual(first);
  expect(first.get("mr-a")).toMatchObject({
    type: "hash:net,iface",
    options: expect.stringContaining("family inet6"),
    entries: [{ element: "2001:2::1,eth0", options: "timeout 0" }],
  });
  expect(await ipsetNames(at)).toEqual(["mr-a", "mr-b"]);
  expect([...(await ipsetSave({ ...at, set: "mr-b" })).keys()]).toEqual(["mr-b"]);
});

test("removing what is not there is done; a set that is not there is not saved", async () => {
  using there = new ScratchNetns();
  const at = { netns: there.fd };
  await ipsetRestore("create mr-a hash:ip\ndel mr-a 198.18.0.1", at);
  expect(await ipsetSave({ ...at, set: "mr-none" })).toEqual(new Map());
  expect((await ipsetSave(at)).get("mr-a")?.entries).toEqual([]);
});

test("the line that is refused is told", async () => {
  using there = new ScratchNetns();
  const text = "create mr-a hash:ip\nadd mr-none 198.18.0.1\n";
  await expect(ipsetRestore(text, { netns: there.fd })).rejects.toMatchObject({
    code: "ERR_COMMAND_FAILED",
    line: "add mr-none 198.18.0.1",
  });
});

test("nothing to do runs nothing", async () => {
  await expect(ipsetRestore(" \n", { netns: "/run/netns/mr-ipt-never" })).resolves.toBeUndefined();
});
