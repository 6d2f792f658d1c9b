import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { LabHost } from "@millrace/conformance";
import { ApiClient } from "./api-client.ts";
import { API_PORT, ApiServer } from "./api-server.ts";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { Etcd } from "./etcd.ts";
import { controlPlanePrograms } from "./programs.ts";

/** etcd and kube-apiserver on a host of the lab. They end with the lab. */
export class ControlPlane implements Disposable {
  readonly etcd: Etcd;
  readonly apiServer: ApiServer;
  readonly certificates: Certificates;
  /** In the administrator's name. */
  readonly api: ApiClient;

  private constructor(etcd: Etcd, apiServer: ApiServer, certificates: Certificates, api: ApiClient) {
    this.etcd = etcd;
    this.apiServer = apiServer;
    this.certificates = certificates;
    this.api = api;
  }

  /** Everything that is a file goes into `directory`, which must be the lab's. */
  static async start(host: LabHost, directory: string, flags: readonly string[] = []): Promise<ControlPlane> {
    const programs = controlPlanePrograms();
    mkdirSync(directory, { recursive: true });
    const certificates = makeCertificates(join(directory, "pki"), [host.address(4), host.address(6)]);
    const etcd = await Etcd.start(host, programs.etcd, directory);
    const apiServer = await ApiServer.start({
      host,
      binary: programs.apiServer,
      etcdUrl: etcd.url,
      certificates,
      flags,
    });
    const socketPath = await openDoor(host, directory);
    return new ControlPlane(etcd, apiServer, certificates, new ApiClient({ socketPath, certificates }));
  }

  [Symbol.dispose](): void {
    this.api[Symbol.dispose]();
  }
}

/** A Unix socket is a file, and so leads from one network namespace into another: the tests' own way to the API server. */
async function openDoor(host: LabHost, directory: string): Promise<string> {
  const socketPath = join(directory, "api.sock");
  const door = host.start("socat", "socat", [
    `UNIX-LISTEN:${socketPath},fork,backlog=64`,
    `TCP4:${host.address(4)}:${API_PORT}`,
  ]);
  await door.until("its socket was there", () => existsSync(socketPath));
  return socketPath;
}
