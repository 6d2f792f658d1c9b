import { expect, it } from "vitest";
import { hostCases } from "../testing/host-cases.ts";
import idle from "../testing/idle-backend.ts";
import { fakeContext } from "./fake-context.ts";
import { FakeHost } from "./fake-host.ts";

const PATH = "/run/netns/pod";

/** The two programs of the cases. */
const programs = {
  cat: ({ input }: { readonly input: string }) => ({ stdout: input }),
  sh: ({ args }: { readonly args: readonly string[] }) => ({ status: Number(/^exit (\d+)$/.exec(args[1] ?? "")?.[1]) }),
};

hostCases("the fake host", async () => {
  const host = new FakeHost({ programs });
  host.addNetns(PATH);
  return { host, path: PATH, remove: async () => host.removeNetns(PATH) };
});

it("tells what was done, in order and where", async () => {
  const host = new FakeHost({ programs: { nft: () => ({}) } });
  host.addNetns(PATH);
  using netns = host.netns(PATH);
  netns.writeSysctl("net/ipv4/conf/all/rp_filter", 2);
  await host.netns().run("nft", ["-f", "-"], { input: "table inet mine {}" });
  expect(host.calls).toEqual([
    { kind: "sysctl", netns: PATH, path: "net/ipv4/conf/all/rp_filter", value: "2" },
    { kind: "program", netns: "node", program: "nft", args: ["-f", "-"], input: "table inet mine {}" },
  ]);
  expect(host.commands("nft")).toEqual([["nft", "-f", "-"]]);
});

it("makes a plugin's context, and keeps what it logs", async () => {
  const { context, log, stop } = fakeContext(idle, { policy: { failurePolicy: "open" } });
  const backend = idle.create(context);
  expect((await backend.probe()).capable).toBe(true);
  context.log.warn({ port: 15001 }, "somebody listens there");
  expect(log).toEqual([{ level: "warn", message: "somebody listens there", fields: { port: 15001 } }]);
  expect(context.policy).toEqual({ failurePolicy: "open", localDelivery: "direct" });
  stop();
  expect(context.signal.aborted).toBe(true);
  expect(() => fakeContext(idle, { config: { depth: 3 } })).toThrow(/depth/);
});

it("runs programs as a backend does that is given `runProgram`", async () => {
  const { runProgram, calls } = new FakeHost({
    programs: { ...programs, nft: () => ({ status: 1, stderr: "no such table\n" }) },
  });
  expect(await runProgram(["cat"], { input: "table inet mine {}" })).toBe("table inet mine {}");
  expect(calls).toMatchObject([{ netns: "node", program: "cat", args: [] }]);
  await expect(runProgram(["nft", "list", "ruleset"])).rejects.toMatchObject({
    code: "ERR_PROGRAM_FAILED",
    message: "nft list ruleset: no such table",
  });
  await expect(runProgram(["ipset", "list"])).rejects.toMatchObject({ code: "ERR_PROGRAM_MISSING" });
  await expect(runProgram(["cat"], { netns: PATH })).rejects.toMatchObject({ code: "ERR_PROGRAM_FAILED" });
});
