import type { LabHost, Program } from "@millrace/conformance";
import type { Certificates } from "./certificates.ts";

/** Who issues service accounts' tokens, and for whom they are. */
export const ISSUER = "https://kubernetes.default.svc";
export const API_PORT = 6443;

/** What is freed for Service addresses: of the ranges that tests may use, a part that no lab has. */
const SERVICE_RANGE = "198.18.240.0/24";

/** Room for a machine that is busy with other things: it starts in some five seconds on one that is not. */
const START_MS = 120_000;

/** How long watches may take to end, once it is asked to end; it ends them only if that is more than nothing. */
const WATCHES_END = "--shutdown-watch-termination-grace-period=5s";
/** As it is by default, and with kubeadm: watches end with the process. */
export const WATCHES_STAY = "--shutdown-watch-termination-grace-period=0s";

export interface ApiServerOptions {
  readonly host: LabHost;
  readonly binary: string;
  readonly etcdUrl: string;
  readonly certificates: Certificates;
  /** Further flags, `--watch-cache=false`. */
  readonly flags?: readonly string[];
}

/** kube-apiserver, on its host's address. It can go away in each of the ways in which one does. */
export class ApiServer {
  readonly #options: ApiServerOptions;
  #program: Program;

  private constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#program = this.#run();
  }

  static async start(options: ApiServerOptions): Promise<ApiServer> {
    const server = new ApiServer(options);
    await server.#untilReady();
    return server;
  }

  get url(): string {
    return `https://${this.#options.host.address(4)}:${API_PORT}`;
  }

  get running(): boolean {
    return this.#program.running;
  }

  /** What it wrote. */
  get lines(): readonly string[] {
    return this.#program.lines;
  }

  /**
   * In order: it says GOAWAY, answers what it has begun, ends watches, and is gone; killed when that takes longer than `graceMs`, as by
   * the kubelet.
   */
  async stop(graceMs = 15_000): Promise<void> {
    await this.#program.stop("SIGTERM", graceMs);
  }

  /** At once: the kernel resets its connections. */
  async kill(): Promise<void> {
    await this.#program.kill();
  }

  /** Stops its threads, while the kernel goes on taking and acknowledging what is sent to it. */
  freeze(): void {
    this.#program.signal("SIGSTOP");
  }

  thaw(): void {
    this.#program.signal("SIGCONT");
  }

  /** Again after {@link stop} or {@link kill}; `flags` are from now on in place of those before. */
  async start(flags: readonly string[] = this.#options.flags ?? []): Promise<void> {
    this.#program = this.#run(flags);
    await this.#untilReady();
  }

  #run(flags: readonly string[] = this.#options.flags ?? []): Program {
    const { host, binary, etcdUrl, certificates } = this.#options;
    const { ca, server, accounts } = certificates;
    return host.start("kube-apiserver", binary, [
      `--etcd-servers=${etcdUrl}`,
      ...[`--bind-address=${host.address(4)}`, `--advertise-address=${host.address(4)}`, `--secure-port=${API_PORT}`],
      ...[`--tls-cert-file=${server.certificate}`, `--tls-private-key-file=${server.key}`],
      `--client-ca-file=${ca.certificate}`,
      "--authorization-mode=RBAC",
      ...[`--service-account-issuer=${ISSUER}`, `--service-account-signing-key-file=${accounts.key}`],
      `--service-account-key-file=${accounts.publicKey}`,
      `--service-cluster-ip-range=${SERVICE_RANGE}`,
      // The chart's pods use the host's network; none of them is run here.
      "--allow-privileged=true",
      // Without, it leaves watches open when it is asked to end, and then waits a minute for the connections that they are on.
      WATCHES_END,
      // No Service reaches it here.
      "--endpoint-reconciler-type=none",
      ...flags,
    ]);
  }

  /** What it says of itself: also false while it does not reach etcd. */
  async ready(): Promise<boolean> {
    const { host, certificates } = this.#options;
    const { ca, admin } = certificates;
    const proof = ["--cacert", ca.certificate, "--cert", admin.certificate, "--key", admin.key];
    const asked = await host.namespace.run("curl", ["-s", "--max-time", "5", ...proof, `${this.url}/readyz`]);
    return asked.stdout === "ok";
  }

  async #untilReady(): Promise<void> {
    await this.#program.until("it was ready", () => this.ready(), START_MS);
  }
}
