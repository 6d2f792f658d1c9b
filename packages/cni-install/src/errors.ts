/** What installing refuses, by stable code. The message of the error says what happened where, and what to do next. */
export const INSTALL_ERRORS = {
  ERR_PLUGIN_SOURCE: "the plugin's binary that is to be installed cannot be read",
  ERR_CONFIG_CHANGING: "a file changed each time it was about to be replaced",
  ERR_CONFIG_LEFT: "a file still holds our entry, or is still ours, and cannot be put back",
  ERR_INSTALLER_RUNNING: "another installer works on this node",
} as const;

export type InstallErrorCode = keyof typeof INSTALL_ERRORS;

export class InstallError extends Error {
  override readonly name = "InstallError";
  readonly code: InstallErrorCode;

  constructor(code: InstallErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
