import EphemeralPostgres
import Foundation
import Testing

struct ServerBinariesTests {
    @Test func `the folder of the environment variable comes before all others`() async throws {
        let folder = try stage(["postgres", "initdb"])
        defer { try? FileManager.default.removeItem(atPath: folder) }  // only tidiness
        let found = try await ServerBinaries.find(environment: [
            ServerBinaries.environmentVariable: folder, "PATH": "/usr/bin:/bin",
        ])
        #expect(found.folder == folder)
    }

    @Test func `a folder that lacks a program is refused by name`() async throws {
        let folder = try stage(["postgres"])
        defer { try? FileManager.default.removeItem(atPath: folder) }  // only tidiness
        let error = await #expect(throws: EphemeralPostgresError.self) {
            _ = try await ServerBinaries.find(environment: [ServerBinaries.environmentVariable: folder])
        }
        #expect(error?.code == .binariesMissing)
        #expect(error?.message.contains(folder) == true)
        #expect(error?.message.contains("ABSURD_POSTGRES_BIN") == true)
    }

    @Test func `a folder on PATH needs both programs`() async throws {
        let half = try stage(["initdb"])
        let full = try stage(["postgres", "initdb"])
        defer { for folder in [half, full] { try? FileManager.default.removeItem(atPath: folder) } }
        let found = try await ServerBinaries.find(environment: ["PATH": "\(half):\(full)"])
        #expect(found.folder == full)
    }

    @Test func `newer versions come first, by number and not by text`() async throws {
        let root = try stage([])
        defer { try? FileManager.default.removeItem(atPath: root) }  // only tidiness
        for version in ["9.6", "14", "17"] {
            try stage(["postgres", "initdb"], in: "\(root)/usr/lib/postgresql/\(version)/bin")
        }
        let found = try await ServerBinaries.find(environment: ["PATH": ""], root: root)
        #expect(found.folder == "\(root)/usr/lib/postgresql/17/bin")
    }

    @Test(arguments: [
        ("ID=debian", "apt-get install postgresql"),
        ("ID=ubuntu\nID_LIKE=debian", "apt-get install postgresql"),
        ("ID=fedora", "dnf install postgresql-server"),
        ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"", "dnf install postgresql-server"),
        ("ID=unheard-of", "apt-get install postgresql (Debian, Ubuntu)"),
    ])
    func `without a server the message says what to type`(_ release: String, _ command: String) async throws {
        let root = try stage([])
        defer { try? FileManager.default.removeItem(atPath: root) }  // only tidiness
        try FileManager.default.createDirectory(atPath: root + "/etc", withIntermediateDirectories: true)
        try release.write(toFile: root + "/etc/os-release", atomically: true, encoding: .utf8)
        let error = await #expect(throws: EphemeralPostgresError.self) {
            _ = try await ServerBinaries.find(environment: ["PATH": ""], root: root)
        }
        #expect(error?.code == .binariesMissing)
        #if os(Linux)
        #expect(error?.message.contains(command) == true)
        #endif
        #expect(error?.message.contains("ABSURD_POSTGRES_BIN") == true)
    }
}

/// Makes a folder with programs of these names.
@discardableResult
private func stage(_ programs: [String], in folder: String? = nil) throws -> String {
    let folder = folder ?? URL.temporaryDirectory.appending(path: "binaries-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for program in programs {
        let path = "\(folder)/\(program)"
        try "#!/bin/sh\n".write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }
    return folder
}
