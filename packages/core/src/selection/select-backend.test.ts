import { expect, test } from "vitest";
import { z } from "zod";
import type { RedirectionBackend } from "../backend/contract.ts";
import type { Plugin } from "../backend/define-plugin.ts";
import { FakeRedirection } from "../testing/fake-redirection.ts";
import { selectBackend } from "./select-backend.ts";

function plugin(
  name: string,
  capable: boolean | Error,
  summary = capable === true ? "everything is there" : "no sk_lookup",
): Plugin {
  const backend: RedirectionBackend = {
    probe: async () => {
      if (capable instanceof Error) throw capable;
      return { features: [], capable, summary };
    },
    open: async () => new FakeRedirection(),
  };
  return { name, description: name, apiVersion: 1, config: z.strictObject({}), create: () => backend };
}

const select = (redirectMode: string, ...plugins: Plugin[]) =>
  selectBackend({ redirectMode, plugins, create: (chosen) => chosen.create({} as never) });

test("auto takes the first that is capable, and does not probe the rest", async () => {
  const { plugin: chosen, selected } = await select(
    "auto",
    plugin("ebpf", true),
    plugin("iptables", new Error("must not be asked")),
  );
  expect(chosen.name).toBe("ebpf");
  expect(selected).toEqual({
    mode: "auto",
    backend: "ebpf",
    probes: [{ backend: "ebpf", capable: true, summary: "everything is there" }],
    reason: "first of the list, and capable; comes after it in the order: iptables",
  });
});

test("auto says why the others were passed over, one that cannot even be probed included", async () => {
  const { plugin: chosen, selected } = await select(
    "auto",
    plugin("ebpf", false),
    plugin("broken", new Error("boom")),
    plugin("iptables", true),
  );
  expect(chosen.name).toBe("iptables");
  expect(selected.probes).toEqual([
    { backend: "ebpf", capable: false, summary: "no sk_lookup" },
    { backend: "broken", capable: false, summary: "cannot be probed: boom" },
    { backend: "iptables", capable: true, summary: "everything is there" },
  ]);
  expect(selected.reason).toBe(
    "first that is capable; passed over ebpf (no sk_lookup), broken (cannot be probed: boom)",
  );
});

test("a named one is taken, wherever it stands", async () => {
  const { selected } = await select("iptables", plugin("ebpf", true), plugin("iptables", true));
  expect(selected).toMatchObject({
    mode: "iptables",
    backend: "iptables",
    reason: "named by redirectMode; not considered: ebpf",
  });
});

test("a named one that is not capable is not replaced by another", async () => {
  await expect(select("ebpf", plugin("ebpf", false), plugin("iptables", true))).rejects.toMatchObject({
    code: "ERR_NO_CAPABLE_BACKEND",
    message: "no backend can keep the contract on this host (redirectMode ebpf). ebpf: no sk_lookup",
  });
});

test("the only one there is needs no comparison", async () => {
  expect((await select("auto", plugin("ebpf", true))).selected.reason).toBe("first of the list, and capable");
  expect((await select("ebpf", plugin("ebpf", true))).selected.reason).toBe("named by redirectMode");
});

test("none at all", async () => {
  await expect(select("auto", plugin("ebpf", false), plugin("iptables", new Error("no binary")))).rejects.toMatchObject(
    {
      message: expect.stringContaining("ebpf: no sk_lookup; iptables: cannot be probed: no binary"),
    },
  );
  await expect(select("auto")).rejects.toMatchObject({ message: expect.stringContaining("There are no plugins.") });
});

test("an unknown name lists the known ones, and guesses", async () => {
  await expect(select("ebfp", plugin("ebpf", true), plugin("iptables", true))).rejects.toMatchObject({
    code: "ERR_REDIRECT_MODE_UNKNOWN",
    message:
      'redirectMode "ebfp" names no known plugin. Did you mean "ebpf"? Known: auto, ebpf, iptables. Further ones are loaded by the setting `plugins`.',
  });
});
