import Testing

@testable import EphemeralPostgres

struct ShellCommandTests {
    private let account = ServerAccount(userID: 26, groupID: 27, name: "postgres")

    @Test func `an ordinary user runs the shell itself`() throws {
        let command = try ShellCommand(script: "true", as: nil) { _ in false }
        #expect(command.program == "sh")
        #expect(command.arguments == ["-c", "true"])
    }

    @Test func `root runs it through the first program there is for that`() throws {
        let setpriv = try ShellCommand(script: "true", as: account) { _ in true }
        #expect(setpriv.program == "setpriv")
        #expect(
            setpriv.arguments
                == ["--reuid", "26", "--regid", "27", "--clear-groups", "sh", "-c", "true"])
        let runuser = try ShellCommand(script: "true", as: account) { $0 != "setpriv" }
        #expect(runuser.program == "runuser")
        #expect(runuser.arguments == ["-u", "postgres", "--", "sh", "-c", "true"])
        let su = try ShellCommand(script: "true", as: account) { $0 == "su" }
        #expect(su.program == "su")
        #expect(su.arguments == ["-s", "/bin/sh", "postgres", "-c", "true"])
    }

    @Test func `without any of them the message says what to do`() {
        let error = #expect(throws: EphemeralPostgresError.self) {
            try ShellCommand(script: "true", as: account) { _ in false }
        }
        #expect(error?.code == .noUnprivilegedUser)
        #expect(error?.message.contains("Install util-linux") == true)
    }

    @Test func `the system's folders are searched after those of the path`() {
        let path = ShellCommand.searchPath(extending: "/opt/x/bin:/usr/bin")
        #expect(path == "/opt/x/bin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin")
    }
}
