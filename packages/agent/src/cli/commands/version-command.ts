import { release } from "node:os";
import { Command } from "commander";
import { EXIT } from "../../exit-codes.ts";
import { VERSION } from "../../version.ts";
import { addHelp } from "../help.ts";
import type { Io } from "../output.ts";
import type { Finish } from "../program.ts";

export function versionCommand(io: Io, finish: Finish): Command {
  const command = new Command("version")
    .summary("print versions")
    .description("Prints the versions of millrace, Node.js and the kernel.")
    .option("--json", "as JSON")
    .action(async ({ json }: { json?: boolean }) => {
      const versions = { millrace: VERSION, node: process.versions.node, kernel: release(), arch: process.arch };
      if (json === true) await io.out.json(versions);
      else
        await io.out.write(
          `millrace ${VERSION} (Node.js ${versions.node}, Linux ${versions.kernel}, ${versions.arch})\n`,
        );
      finish(EXIT.ok);
    });
  return addHelp(command, [["millrace version --json", "for a bug report or a script"]]);
}
