import type { Agent } from "node:http";
import type { RequestOptions } from "node:https";
import type { ConnectionOptions } from "node:tls";
import { errorMessage } from "@millrace/core/internal";
import { WatcherError } from "../errors.ts";

/** What tells a TLS server who it is to be, and who we are. */
export type ApiTls = Pick<
  ConnectionOptions,
  "ca" | "cert" | "key" | "pfx" | "passphrase" | "servername" | "rejectUnauthorized"
>;

/** Where the API server is and how it is spoken to, as of now. */
export interface ApiAccess {
  readonly server: URL;
  /** Who we are: `Authorization`, and impersonation where a kubeconfig asks for it. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: ApiTls;
  /** Makes connections for HTTP/1.1, through the kubeconfig's `proxy-url` where it names one. */
  readonly agent: Agent;
  readonly proxied: boolean;
}

/** Reads how the API server is reached. Rejects with ERR_KUBERNETES_ACCESS. */
export type LoadAccess = () => Promise<ApiAccess>;

export interface AccessSources {
  /** Absolute path of a kubeconfig file; default: the service account of the pod we run in. */
  readonly kubeconfig?: string | undefined;
  /** Put before the paths of the service account's files. Default: none. */
  readonly pathPrefix?: string;
}

/**
 * Access by the client library's own reading of a kubeconfig or of the pod's service account: bearer tokens, client certificates, exec
 * and OIDC plugins, proxies. Everything is read anew each time, for tokens, certificates, the CA and the kubeconfig itself are rotated
 * under a running agent, and the library keeps a service account's token for a minute and its TLS agent for ever (`FileAuth`, `KubeConfig`).
 * A watch asks a few times in five minutes, so this costs nothing.
 *
 * The library is loaded when it is first needed: it takes 87 MiB, which an agent without a cluster need not pay.
 */
export function accessFrom({ kubeconfig, pathPrefix = "" }: AccessSources): LoadAccess {
  return async () => {
    try {
      const { KubeConfig } = await import("@kubernetes/client-node");
      const config = new KubeConfig();
      if (kubeconfig !== undefined) config.loadFromFile(kubeconfig);
      else if (process.env.KUBERNETES_SERVICE_HOST === undefined) throw new Error("KUBERNETES_SERVICE_HOST is not set");
      else config.loadFromCluster(pathPrefix);
      const cluster = config.getCurrentCluster();
      if (cluster === null) throw new Error("no cluster belongs to the current context");
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      return toAccess(new URL(cluster.server), cluster.proxyUrl !== undefined, options);
    } catch (cause) {
      const where = kubeconfig === undefined ? "the pod's service account" : kubeconfig;
      const hint = kubeconfig === undefined ? "; outside of a cluster, set kubernetes.kubeconfig" : "";
      throw new WatcherError(
        "ERR_KUBERNETES_ACCESS",
        `${where} does not tell how to reach the API server: ${errorMessage(cause)}${hint}`,
        { cause },
      );
    }
  };
}

function toAccess(server: URL, proxied: boolean, options: RequestOptions): ApiAccess {
  const { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized, auth, headers, agent } = options;
  const basic = typeof auth === "string" ? { Authorization: `Basic ${Buffer.from(auth).toString("base64")}` } : {};
  const tls = { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized };
  return {
    server,
    headers: { ...basic, ...singleHeaders(headers) },
    tls: Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined)),
    agent: agent as Agent,
    proxied,
  };
}

function singleHeaders(headers: RequestOptions["headers"]): Record<string, string> {
  return Object.fromEntries(Object.entries({ ...headers }).map(([name, value]) => [name, String(value).trim()]));
}
