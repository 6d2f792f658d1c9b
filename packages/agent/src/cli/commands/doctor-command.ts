import { Command } from "commander";
import { EXIT } from "../../exit-codes.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";
import { addSettings, setupOf } from "../settings-options.ts";

export function doctorCommand(io: Io, finish: Finish): Command {
  const command = new Command("doctor")
    .summary("find out what this host can do, and which backend serves")
    .description(
      "Finds out what this host can do: what every backend needs and whether it is here, by trying; which one the agent would " +
        "take, and why; and what on the host may get in the way. Changes nothing; needs no agent and no Kubernetes.",
    )
    .option("--json", "as JSON (stable)");
  addSettings(command, [
    "redirectMode",
    "sockets.admin",
    "paths.bpffs",
    "paths.journal",
    "install.cniBinDir",
    "install.cniConfDir",
    "plugins",
  ]);
  command.action(async ({ json }: { json?: boolean }) => {
    const setup = setupOf(command, io);
    // Loaded here and not above: the native parts must not keep `--help` from working.
    const [{ diagnose }, { renderDiagnosis }] = await Promise.all([
      import("../../doctor/diagnose.ts"),
      import("../../doctor/render-diagnosis.ts"),
    ]);
    const diagnosis = await diagnose(setup, io.signal);
    await (json === true ? io.out.json(diagnosis) : io.out.write(renderDiagnosis(diagnosis, io.out.palette)));
    finish(diagnosis.selection.backend === undefined ? EXIT.notCapable : EXIT.ok);
  });
  return addHelp(command, [
    ["millrace doctor", "every feature, every backend, and the choice"],
    ["millrace doctor --redirect-mode ebpf", "can this host run that backend?"],
    ["millrace doctor --json | jq .selection", "the choice and its reason"],
  ]);
}
