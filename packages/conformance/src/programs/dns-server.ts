import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { LabError } from "../errors.ts";
import type { LabHost } from "../lab/lab-host.ts";
import { within } from "../slow.ts";
import type { Program } from "./program.ts";

/** Where a node proxy serves its members' DNS. */
export const DNS_PROXY_PORT = 15053;

/** The name every server of the lab knows: its text is the server's own name. */
export const WHO = "who.lab";

/** unbound, serving UDP and TCP of both families on one port of a host of the lab. Asked for {@link WHO} it tells who it is. */
export class DnsServer implements AsyncDisposable {
  readonly program: Program;

  private constructor(program: Program) {
    this.program = program;
  }

  /** Starts it and waits until it serves. `directory` takes its configuration file. */
  static async start(host: LabHost, port: number, text: string, directory: string): Promise<DnsServer> {
    mkdirSync(directory, { recursive: true });
    const file = join(directory, `unbound-${host.name}.conf`);
    writeFileSync(file, configuration(port, text));
    const program = host.start("unbound", unboundBinary(), ["-d", "-c", file]);
    await program.until("it said that it serves", () =>
      program.lines.some((line) => line.includes("start of service")),
    );
    return new DnsServer(program);
  }

  /** Questions it got so far, as its log shows them: `<address> who.lab. TXT IN`. */
  get questions(): readonly string[] {
    return this.program.lines.flatMap((line) => / info: (\S+ \S+ TXT IN)$/.exec(line)?.[1] ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.stop("SIGTERM", within(5_000));
  }
}

/** Answers from the address that was asked (`interface-automatic`), as an ordinary server does that has several. */
const configuration = (port: number, text: string): string => `server:
  directory: ""
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  verbosity: 1
  log-queries: yes
  num-threads: 1
  module-config: "iterator"
  interface: 0.0.0.0@${port}
  interface: ::0@${port}
  interface-automatic: yes
  interface-automatic-ports: "${port}"
  port: ${port}
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  local-zone: "lab." static
  local-data: '${WHO}. 60 IN TXT "${text}"'
remote-control:
  control-enable: no
`;

/** MILLRACE_UNBOUND, else `unbound` on PATH or in /usr/sbin, else a private copy. Throws ERR_UNBOUND_MISSING. */
export function unboundBinary(environment: NodeJS.ProcessEnv = process.env): string {
  const directories = [...(environment.PATH ?? "").split(delimiter), "/usr/sbin"].filter((entry) => entry !== "");
  const candidates = [
    environment.MILLRACE_UNBOUND ?? [],
    directories.map((directory) => join(directory, "unbound")),
    join(homedir(), ".cache/millrace/unbound/usr/sbin/unbound"),
  ].flat();
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found !== undefined) return found;
  throw new LabError(
    "ERR_UNBOUND_MISSING",
    "no unbound found: install the package unbound or set MILLRACE_UNBOUND to the binary",
  );
}
