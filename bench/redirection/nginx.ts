import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** As `make setup` unpacks it; MILLRACE_NGINX names another. */
export function nginx(environment: NodeJS.ProcessEnv = process.env): string {
  const cache = environment.MILLRACE_CACHE ?? join(homedir(), ".cache/millrace");
  const unpacked = join(cache, "nginx/usr/sbin/nginx");
  return environment.MILLRACE_NGINX ?? (existsSync(unpacked) ? unpacked : "nginx");
}

/**
 * The command of an nginx that answers `GET /N` with a file of N bytes, for each of `sizes`. One process, as what it costs is read of one; no log, and connections that
 * stay for as many requests as there are. What it needs is written into `directory`, which must be its own.
 */
export function nginxCommand(directory: string, port: number, sizes: readonly number[]): string[] {
  const files = join(directory, "files");
  mkdirSync(files, { recursive: true });
  for (const size of sizes) writeFileSync(join(files, `${size}`), Buffer.alloc(size, "x"));
  const file = join(directory, "nginx.conf");
  writeFileSync(file, nginxConfig(directory, port));
  return [nginx(), "-p", directory, "-e", "stderr", "-c", file];
}

/** Packaged for a service, nginx would keep its files where the machine has its own: each of these paths is named. */
export function nginxConfig(directory: string, port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `  ${kind}_temp_path ${join(directory, `${kind}-temp`)};`,
  );
  return `daemon off;
master_process off;
pid ${join(directory, "nginx.pid")};
error_log stderr error;
events {
  worker_connections 8192;
}
http {
  access_log off;
${temporary.join("\n")}
  sendfile on;
  tcp_nopush on;
  open_file_cache max=16;
  keepalive_requests 1000000000;
  server {
    listen ${port} backlog=4096;
    root ${join(directory, "files")};
  }
}
`;
}
