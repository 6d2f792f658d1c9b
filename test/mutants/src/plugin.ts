import { join } from "node:path";
import { definePlugin, type RedirectionBackend } from "@millrace/core";
import ebpf from "@millrace/plugin-ebpf";
import { z } from "zod";
import { withVerbs } from "./mutant.ts";
import { mutantOf } from "./mutants.ts";
import { Rules } from "./rules.ts";

/** The eBPF backend, wrong in one way: the one that has to fail the behaviour named. */
export default definePlugin({
  name: "mutant",
  description: "the eBPF backend with one deliberate mistake",
  apiVersion: 1,
  config: z.strictObject({ wrong: z.string() }),
  create(context): RedirectionBackend {
    const { policy, backend, verbs } = mutantOf(context.config.wrong);
    const config = ebpf.config.parse({});
    const real = ebpf.create({ ...context, config, policy: { ...context.policy, ...policy } });
    const rules = new Rules(join(context.host.journal, "mutant-namespaces"));
    const open = async () => {
      const base = await real.open();
      return withVerbs(base, verbs?.(base, rules) ?? {});
    };
    return withVerbs(real, backend?.(real) ?? { open });
  },
});
