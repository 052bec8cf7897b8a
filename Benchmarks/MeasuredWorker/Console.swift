import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Where in the body of its next step the worker stops for good, in order to be killed there.
enum HoldPoint: String, Sendable {
    /// The body has begun and has had no effect yet.
    case before
    /// The body has had its effect; its value is not recorded yet.
    case after
}

enum Command: Sendable {
    case hold(HoldPoint)
    case report
}

/// The standard streams of this process.
final class Console: Sendable {
    let commands: AsyncStream<Command>
    private let wantedHold = Mutex<HoldPoint?>(nil)

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Command.self)
        commands = stream
        // Reading blocks, so it gets a thread of Dispatch's rather than one of the shared pool.
        DispatchQueue(label: "console").async {
            while let line = readLine() {
                if let command = Command(line) { continuation.yield(command) }
            }
            continuation.finish()
        }
    }

    func say(_ line: String) {
        // One short write, so that lines of concurrent handlers do not mix. Nobody is left to hear of a failure.
        let bytes = Array((line + "\n").utf8)
        _ = write(STDOUT_FILENO, bytes, bytes.count)
    }

    func hold(at point: HoldPoint) {
        wantedHold.withLock { $0 = point }
    }

    /// Stops here for good, one step only, when that was asked for.
    func pass(_ point: HoldPoint, _ description: @autoclosure () -> String) async throws {
        let holds = wantedHold.withLock { wanted in
            guard wanted == point else { return false }
            wanted = nil
            return true
        }
        guard holds else { return }
        say("holding \(description())")
        try await Task.sleep(for: .seconds(3600))
    }
}

extension Command {
    init?(_ line: String) {
        let words = line.split(separator: " ")
        switch words.first {
        case "hold":
            guard words.count == 2, let point = HoldPoint(rawValue: String(words[1])) else { return nil }
            self = .hold(point)
        case "report": self = .report
        default: return nil
        }
    }
}
