import Absurd
import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct DevTests {
    @Test func `a command runs on a private server, with its queues, and gives its exit status`() async throws
    {
        let run = try await Command.run([
            "dev", "--queue", "a", "--queue", "it's", "--", "sh", "-c", "absurd queue list --json; exit 7",
        ])
        #expect(run.status == 7, "\(run.errors)")
        #expect(try run.json["queues"]?.array.map { $0["queue"]?.stringValue } == ["a", "it's"])
    }

    @Test func `a signal ends it cleanly and takes the server along`() async throws {
        let run = try await Command.shell(
            """
            fifo=$(mktemp -u); mkfifo "$fifo"
            absurd dev >"$fifo" 2>/dev/null & pid=$!
            read -r line <"$fifo"; rm "$fifo"
            eval "$line"
            absurd queue create q || exit 9
            kill -INT $pid; wait $pid; echo "status $?"
            absurd queue list 2>&1; echo "status $?"
            """)
        #expect(run.lines[0] == "queue 'q' created")
        #expect(run.lines[1] == "status 0")
        #expect(run.lines.last == "status 3")
    }

    @Test func `a server that ends by itself ends the program, and the command with it`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "absurd-dev-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let run = try await Command.shell(
            """
            fifo=$(mktemp -u); mkfifo "$fifo"
            absurd dev --data '\(folder)' >"$fifo" 2>/dev/null & pid=$!
            read -r line <"$fifo"; rm "$fifo"
            kill -QUIT $(head -n 1 '\(folder)/postmaster.pid')
            wait $pid; echo "status $?"
            """)
        #expect(run.lines == ["status 1"])
        let command = try await Command.run([
            "dev", "--data", folder, "--", "sh", "-c",
            "trap 'echo told; exit 5' TERM; kill -QUIT $(head -n 1 '\(folder)/postmaster.pid'); while :; do sleep 0.1; done",
        ])
        #expect(command.status == 5)
        #expect(command.output == "told\n")
        #expect(
            command.errors.contains("error: the private Postgres has ended by itself"), "\(command.errors)")
    }

    @Test func `the JSON names the data directory so that others find it`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "absurd-dev-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let run = try await Command.shell(
            """
            cd '\(folder.path)' && mkfifo answer
            absurd dev --json --data ./data/ >answer 2>/dev/null & pid=$!
            exec 3<answer
            while IFS= read -r line <&3; do echo "$line"; [ "$line" = "}" ] && break; done
            kill -INT $pid; wait $pid
            """)
        #expect(try run.json["data_directory"]?.stringValue == folder.appending(path: "data").path)
    }

    @Test func `data that is kept is there the next time`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "absurd-dev-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let first = try await Command.run(["dev", "--data", folder, "-q", "kept", "--", "true"])
        #expect(first.status == 0, "\(first.errors)")
        let second = try await Command.run([
            "dev", "--data", folder, "--", "absurd", "queue", "list", "--json",
        ])
        #expect(try second.json["queues"]?.array.map { $0["queue"]?.stringValue } == ["kept"])
    }

    @Test func `no server is started for a command that is not there`() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "absurd-dev-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(try await Command.run(["dev", "--data", folder, "--", "no-such-command"]).status == 127)
        #expect(!FileManager.default.fileExists(atPath: folder))
    }

    @Test func `a command that is not there, or that a signal ends, is told as a shell tells it`()
        async throws
    {
        let missing = try await Command.run(["dev", "--", "no-such-command"])
        #expect(missing.status == 127)
        #expect(missing.errors == "error: there is no command 'no-such-command'\n")
        #expect(try await Command.run(["dev", "--", "sh", "-c", "kill -9 $$"]).status == 137)
    }

    @Test func `a folder that is none is refused`() async throws {
        let run = try await Command.run(["dev", "--data", "/dev/null"])
        #expect(run.status == 2)
        #expect(run.errors.split(separator: "\n").count == 1)
    }
}
