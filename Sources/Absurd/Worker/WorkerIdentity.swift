#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Makes worker ids that no other process start can have.
package enum WorkerIdentity {
    /// Host, process, and eight random hexadecimal digits, because process ids come back.
    package static func unique() -> String {
        let random = String(UInt32.random(in: .min ... .max), radix: 16)
        let padded = String(repeating: "0", count: 8 - random.count) + random
        return "\(hostName.prefix(64)):\(getpid()):\(padded)"
    }

    private static var hostName: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let start = buffer.baseAddress, gethostname(start, buffer.count - 1) == 0 else {
                return "host"
            }
            buffer[buffer.count - 1] = 0
            return String(cString: start)
        }
    }
}
