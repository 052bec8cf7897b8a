import Foundation

/// Finds a command as a shell does, before anything is started for it.
enum CommandLookup {
    /// - Throws: ``SupervisorError`` with the codes `commandMissing` and `commandNotExecutable`.
    static func check(
        _ command: String, searchPath: String? = ProcessInfo.processInfo.environment["PATH"]
    ) throws {
        let candidates =
            command.contains("/")
            ? [command]
            : (searchPath ?? "/usr/bin:/bin").split(separator: ":").map { "\($0)/\(command)" }
        let files = command.isEmpty ? [] : candidates.filter(isFile)
        if files.contains(where: FileManager.default.isExecutableFile) { return }
        if let file = files.first {
            throw SupervisorError(
                .commandNotExecutable, "'\(file)' is not executable; allow it with: chmod +x '\(file)'")
        }
        let hint =
            command.contains("/") || !isFile(command) ? "" : "; write ./\(command) for the one in this folder"
        throw SupervisorError(.commandMissing, "there is no command '\(command)'\(hint)")
    }

    private static func isFile(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
    }
}
