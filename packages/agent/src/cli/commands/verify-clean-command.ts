import { Command } from "commander";
import { EXIT } from "../../exit-codes.ts";
import { isClean } from "../../proof/verification.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";
import { addSettings, setupOf } from "../settings-options.ts";

interface Options {
  readonly all?: boolean;
  readonly strict?: boolean;
  readonly keepCniPlugin?: boolean;
  readonly json?: boolean;
}

export function verifyCleanCommand(io: Io, finish: Finish): Command {
  const command = new Command("verify-clean")
    .summary("prove that nothing of Millrace is left on this node")
    .description(
      "Looks for everything of Millrace in all network namespaces of this node, its BPF file system and its files: by names, " +
        "programs, protocol numbers and addresses that only Millrace uses, whatever the journal knows; and, where there is a snapshot of " +
        "the node from before, by what differs from it. Lists what is left, and ends with status 1 if anything is. Changes nothing. " +
        "Refuses while an agent or an installer runs.",
    )
    .option("--strict", "count what may be ours but cannot be told to be")
    .option("--all", "list what others have changed meanwhile, too")
    .option("--keep-cni-plugin", "the CNI plugin was left on purpose")
    .option("--json", "as JSON (stable)");
  addSettings(command, [
    "sockets.admin",
    "sockets.cni",
    "eventLog.path",
    "paths.bpffs",
    "paths.journal",
    "paths.ambientConfig",
    "install.cniBinDir",
    "install.cniConfDir",
    "plugins",
  ]);
  command.action(async ({ all, strict, keepCniPlugin, json }: Options) => {
    const setup = setupOf(command, io);
    // Loaded here and not above: the native parts must not keep `--help` from working.
    const [{ runVerifyClean }, { renderVerification }] = await Promise.all([
      import("../../proof/run-verify-clean.ts"),
      import("../../proof/render-verification.ts"),
    ]);
    const verification = await runVerifyClean(setup, { keepCniPlugin: keepCniPlugin === true, signal: io.signal });
    const { out } = io;
    await (json === true
      ? out.json(verification)
      : out.write(renderVerification(verification, out.palette, all === true)));
    finish(isClean(verification, strict) ? EXIT.ok : EXIT.notClean);
  });
  return addHelp(command, [
    ["millrace verify-clean", "is anything left?"],
    ["millrace verify-clean --strict --all", "and what could be, and what others have changed since"],
    ["millrace verify-clean --json | jq .left", "for scripts"],
  ]);
}
