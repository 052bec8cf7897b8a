#if canImport(Darwin)
import Darwin
#elseif canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Random words of the system's generator, fetched many at a time: a call of the system for each costs more than
/// all else about an identifier.
struct RandomWords: ~Copyable {
    /// 256 bytes, the most that `getentropy` gives at once.
    private var words = [UInt64](repeating: 0, count: 32)
    private var left = 0

    mutating func next() -> UInt64 {
        if left == 0 {
            words.withUnsafeMutableBytes { Self.fill($0) }
            left = words.count
        }
        left -= 1
        return words[left]
    }

    private static func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        guard let start = buffer.baseAddress else { return }
        #if canImport(Darwin)
        arc4random_buf(start, buffer.count)
        #else
        if getentropy(start, buffer.count) == 0 { return }
        // A system without that call; Swift's own generator knows what to do.
        var system = SystemRandomNumberGenerator()
        for index in buffer.indices { buffer[index] = UInt8(truncatingIfNeeded: system.next()) }
        #endif
    }
}
