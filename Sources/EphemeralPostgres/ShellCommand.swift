/// The program and the arguments that run a shell script, as another user if need be.
///
/// The user is changed by a program of the system and not between fork and exec, as swift-subprocess would: on
/// Linux it makes the child with a bare `clone3`, and glibc's `setgroups` and `setuid` wait there, now and then
/// for ever, for threads that exist in the parent only.
struct ShellCommand: Equatable {
    /// A name to be found in ``searchPath``.
    var program: String
    var arguments: [String]

    /// The folders of `path` and those of the system, which the path of a service may lack.
    static func searchPath(extending path: String?) -> String {
        let folders = (path ?? "").split(separator: ":").map(String.init)
        let system = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        return (folders + system.filter { !folders.contains($0) }).joined(separator: ":")
    }

    init(script: String, as account: ServerAccount?, isInstalled: (String) -> Bool) throws {
        let shell = ["sh", "-c", script]
        guard let account else {
            program = shell[0]
            arguments = Array(shell.dropFirst())
            return
        }
        if isInstalled("setpriv") {
            program = "setpriv"
            arguments =
                ["--reuid", "\(account.userID)", "--regid", "\(account.groupID)", "--clear-groups"] + shell
        } else if let name = account.name, isInstalled("runuser") {
            program = "runuser"
            arguments = ["-u", name, "--"] + shell
        } else if let name = account.name, isInstalled("su") {
            program = "su"
            arguments = ["-s", "/bin/sh", name, "-c", script]
        } else {
            throw EphemeralPostgresError(
                code: .noUnprivilegedUser,
                message:
                    "Postgres refuses to run as root, and none of setpriv, runuser and su is there to run "
                    + "it as another user. Install util-linux, or start this program as an ordinary user.")
        }
    }
}
