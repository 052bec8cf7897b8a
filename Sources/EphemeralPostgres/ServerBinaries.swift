import Foundation
import Subprocess

/// The folder with the programs of a Postgres server.
///
/// Looked for, in this order: where the caller says; where `ABSURD_POSTGRES_BIN` says; on `PATH`; where
/// `pg_config --bindir` says; where Debian, PGDG's packages for Fedora and Homebrew put them, the newest
/// version first. A caller or variable that names a wrong folder is an error: searching on would start a
/// server of another version than the one asked for.
package struct ServerBinaries: Sendable {
    package static let environmentVariable = "ABSURD_POSTGRES_BIN"

    /// An absolute path.
    package let folder: String

    /// `root` is put before the paths of packages and of the system's description, for tests.
    package static func find(
        preferring folder: String? = nil,
        environment: [String: String] = ProcessInfo.processInfo.environment,
        root: String = ""
    ) async throws -> ServerBinaries {
        if let folder {
            return try require(folder, namedBy: "the options name")
        }
        if let folder = environment[environmentVariable], !folder.isEmpty {
            return try require(folder, namedBy: "\(environmentVariable) names")
        }
        let onPath = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        if let folder = onPath.first(where: isComplete) {
            return ServerBinaries(folder: folder)
        }
        if let folder = await bindirOfPGConfig(environment: environment), isComplete(folder) {
            return ServerBinaries(folder: folder)
        }
        if let folder = usualFolders(below: root).first(where: isComplete) {
            return ServerBinaries(folder: folder)
        }
        throw EphemeralPostgresError(code: .binariesMissing, message: missingMessage(root: root))
    }

    private static func require(_ folder: String, namedBy source: String) throws -> ServerBinaries {
        guard folder.hasPrefix("/"), isComplete(folder) else {
            throw EphemeralPostgresError(
                code: .binariesMissing,
                message: "\(source) the folder \(folder), but it has no programs postgres and initdb. "
                    + "It has to be the absolute path of a Postgres server's bin folder.")
        }
        return ServerBinaries(folder: folder)
    }

    private static func isComplete(_ folder: String) -> Bool {
        ["postgres", "initdb"].allSatisfy { FileManager.default.isExecutableFile(atPath: "\(folder)/\($0)") }
    }

    private static func bindirOfPGConfig(environment: [String: String]) async -> String? {
        // No pg_config that works is one place less to look, nothing more.
        let result = try? await run(
            .name("pg_config"), arguments: ["--bindir"],
            environment: .inherit.updating(["PATH": environment["PATH"] ?? ""]),
            output: .string(limit: 4096), error: .discarded)
        return result?.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// Where distributions put the server, newest version first.
private func usualFolders(below root: String) -> [String] {
    let places: [(parent: String, prefix: String, suffix: String)] = [
        ("/usr/lib/postgresql", "", "/bin"),
        ("/usr", "pgsql-", "/bin"),
        ("/opt/homebrew/opt", "postgresql", "/bin"),
        ("/usr/local/opt", "postgresql", "/bin"),
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "/bin"),
    ]
    return places.flatMap { place in
        // A folder that cannot be listed has nothing for us.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root + place.parent)) ?? []
        return
            names
            .filter { $0.hasPrefix(place.prefix) }
            .sorted { version(of: $0) > version(of: $1) }
            .map { "\(root)\(place.parent)/\($0)\(place.suffix)" }
    }
}

private func version(of name: String) -> Double {
    Double(name.drop { !$0.isNumber }) ?? 0
}

/// Says what to type on this machine.
private func missingMessage(root: String) -> String {
    "No Postgres server is installed here: the programs postgres and initdb were found neither on PATH nor "
        + "where packages put them. \(installationHint(root: root)). If the server is installed elsewhere, set "
        + "\(ServerBinaries.environmentVariable) to the folder with its programs."
}

private func installationHint(root: String) -> String {
    #if os(macOS)
    return "Install it with: brew install postgresql@17"
    #else
    // Without the file we do not know the distribution and name the ones we know.
    let release = (try? String(contentsOfFile: "\(root)/etc/os-release", encoding: .utf8)) ?? ""
    let names = release.split(separator: "\n").filter { $0.hasPrefix("ID=") || $0.hasPrefix("ID_LIKE=") }
        .joined(separator: " ")
    let apt = "apt-get install postgresql"
    let dnf = "dnf install postgresql-server"
    let sudo = getuid() == 0 ? "" : "sudo "
    if names.contains("debian") || names.contains("ubuntu") { return "Install it with: \(sudo)\(apt)" }
    if names.contains("fedora") || names.contains("rhel") { return "Install it with: \(sudo)\(dnf)" }
    return "Install it with, for example: \(sudo)\(apt) (Debian, Ubuntu) or \(sudo)\(dnf) (Fedora)"
    #endif
}
