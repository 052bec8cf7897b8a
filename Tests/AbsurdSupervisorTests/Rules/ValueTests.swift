import AbsurdSupervisor
import Foundation
import Testing

@Suite struct ValueTests {
    @Test func `an option that breaks its rule is named, with the rule and the value`() {
        func message(_ change: (inout SupervisorOptions) -> Void) -> String? {
            var options = SupervisorOptions()
            change(&options)
            let error = #expect(throws: SupervisorError.self) {
                _ = try ProcessSupervisor(["true"], options: options)
            }
            #expect(error?.code == .invalidOption)
            return error?.message
        }
        #expect(
            message { $0.children = 0 } == "the supervisor option children must be from 1 to 1000, and is 0")
        #expect(message { $0.maxRestarts = -1 }?.contains("maxRestarts") == true)
        #expect(message { $0.restartPause = .zero }?.contains("restartPause") == true)
        #expect(message { $0.maxRestartPause = .milliseconds(1) }?.contains("maxRestartPause") == true)
        #expect(message { $0.restartWindow = .zero }?.contains("restartWindow") == true)
        #expect(message { $0.gracePeriod = .seconds(-1) }?.contains("gracePeriod") == true)
        #expect(message { $0.settleTime = .seconds(400 * 86_400) }?.contains("settleTime") == true)
    }

    @Test func `a command that is not there, or not executable, is refused before anything starts`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "absurd-lookup-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "worker")
        try Data("#!/bin/sh\n".utf8).write(to: file)

        func error(_ command: [String]) -> SupervisorError? {
            #expect(throws: SupervisorError.self) { _ = try ProcessSupervisor(command) }
        }
        #expect(error(["no-such-command"])?.code == .commandMissing)
        #expect(error([])?.code == .commandMissing)
        #expect(error(["\(folder.path)/missing"])?.code == .commandMissing)
        #expect(error([folder.path])?.code == .commandMissing)
        let refused = error([file.path])
        #expect(refused?.code == .commandNotExecutable)
        #expect(
            refused?.message
                == "'\(file.path)' is not executable; allow it with: chmod +x '\(file.path)'")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
        _ = try ProcessSupervisor([file.path])
    }

    @Test func `ends are told in words`() {
        #expect(ProcessEnd.exited(status: 127).description == "exited with status 127 (command not found)")
        #expect(ProcessEnd.signalled(9).description == "was ended by SIGKILL (perhaps for lack of memory)")
        #expect(ProcessEnd.signalled(64).description == "was ended by signal 64")
    }
}
