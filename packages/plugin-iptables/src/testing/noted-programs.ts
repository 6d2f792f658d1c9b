import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { flavours, iptablesProgram } from "../commands/iptables-names.ts";

const PROGRAMS = [
  ...["conntrack", "ip", "ipset", "nft", "ss"],
  ...flavours.flatMap((flavour) =>
    ([4, 6] as const).flatMap((family) =>
      ([undefined, "save", "restore"] as const).map((verb) => iptablesProgram(flavour, family, verb)),
    ),
  ),
];

/** Is the program whose name it has, behind its own directory in PATH. Node has made sure that its directory is the first. */
const script = (directory: string) => `#!/bin/sh
name=\${0##*/}
PATH=\${PATH#*:}
echo "$name $*" >>${directory}/calls
if [ "$name $1" = "ipset restore" ] && [ -e ${directory}/refused ]; then
  input=$(cat)
  if printf '%s\\n' "$input" | grep -qFf ${directory}/refused; then
    echo "ipset: refused, as the test wants it" >&2
    exit 1
  fi
  printf '%s\\n' "$input" | "$name" "$@"
  exit
fi
exec "$name" "$@"
`;

/** The real programs of a backend, with a note of each that is started. */
export class NotedPrograms implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "millrace-programs-"));
  #seen = 0;

  constructor() {
    const bin = join(this.#directory, "bin");
    mkdirSync(bin);
    const file = join(this.#directory, "program");
    writeFileSync(file, script(this.#directory));
    chmodSync(file, 0o755);
    for (const name of PROGRAMS) symlinkSync(file, join(bin, name));
  }

  /** Put before a backend's command. */
  get wrap(): readonly string[] {
    return ["env", `PATH=${join(this.#directory, "bin")}:${process.env.PATH}`];
  }

  /** What was started since this was asked last. */
  started(): string[] {
    const file = join(this.#directory, "calls");
    const all = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
    const news = all.slice(this.#seen);
    this.#seen = all.length;
    return news;
  }

  /** From now on ipset(8) refuses what has this text in it. */
  refuse(text: string): void {
    writeFileSync(join(this.#directory, "refused"), `${text}\n`);
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }
}
