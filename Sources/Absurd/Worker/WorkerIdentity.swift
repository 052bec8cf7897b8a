import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Makes ids of workers and processes that no other process start can have.
package enum WorkerIdentity {
    /// A worker id that was never used: eight random hexadecimal digits, because names and process ids come back.
    package static func unique(_ name: String = defaultName) -> String {
        let random = String(UInt32.random(in: .min ... .max), radix: 16)
        return name + ":" + String(repeating: "0", count: 8 - random.count) + random
    }

    /// Host and process.
    package static var defaultName: String { "\(hostName):\(processID)" }

    /// This start of the program, as `ABSURD_PROCESS` names it, or by an id of its own.
    package static let process: String = {
        if let given = ProcessInfo.processInfo.environment["ABSURD_PROCESS"], isWorkerID(given) {
            return given
        }
        return unique()
    }()

    /// How often a supervisor has started this program again, as `ABSURD_WORKER_RESTARTS` says.
    package static let processRestarts: Int = {
        let given = ProcessInfo.processInfo.environment["ABSURD_WORKER_RESTARTS"].flatMap { Int($0) } ?? 0
        return (0...Int(Int32.max / 2)).contains(given) ? given : 0
    }()

    package static var processID: Int32 { getpid() }

    package static let hostName: String = {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let start = buffer.baseAddress, gethostname(start, buffer.count - 1) == 0 else {
                return "host"
            }
            buffer[buffer.count - 1] = 0
            return String(String(cString: start).prefix(64))
        }
    }()
}
