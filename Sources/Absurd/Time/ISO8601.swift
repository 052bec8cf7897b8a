package import LibPQ

#if canImport(FoundationEssentials)
package import FoundationEssentials
#else
package import Foundation
#endif

/// Instants as text, in the forms that the SDKs write into sleep checkpoints.
///
/// Python writes microseconds and `+00:00`, TypeScript milliseconds and `Z`, Go nanoseconds and `Z`. All are
/// read; ours is written like Python's. Digits beyond microseconds are dropped.
package enum ISO8601 {
    package static func parse(_ text: String) -> PostgresTimestamp? {
        var scanner = Scanner(bytes: Array(text.utf8))
        guard let year = scanner.digits(4), scanner.skip("-"),
            let month = scanner.digits(2), (1...12).contains(month), scanner.skip("-"),
            let day = scanner.digits(2), (1...31).contains(day), scanner.skip("T") || scanner.skip(" "),
            let hour = scanner.digits(2), hour < 24, scanner.skip(":"),
            let minute = scanner.digits(2), minute < 60, scanner.skip(":"),
            let second = scanner.digits(2), second <= 60
        else { return nil }
        let fraction = scanner.skip(".") ? scanner.microseconds() : 0
        guard let fraction, let offset = scanner.offset(), scanner.isAtEnd else { return nil }
        let days = daysSince2000(year: year, month: month, day: day)
        let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second - offset
        return PostgresTimestamp(microseconds: Int64(seconds) * 1_000_000 + Int64(fraction))
    }

    package static func format(_ instant: PostgresTimestamp) -> String {
        let (seconds, fraction) = instant.microseconds.quotientAndRemainder(flooredBy: 1_000_000)
        let (days, time) = seconds.quotientAndRemainder(flooredBy: 86_400)
        let (year, month, day) = civil(daysSince2000: Int(days))
        func pad(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))"
        let clock = "\(pad(Int(time) / 3600, 2)):\(pad(Int(time) / 60 % 60, 2)):\(pad(Int(time) % 60, 2))"
        return "\(date)T\(clock).\(pad(Int(fraction), 6))+00:00"
    }

    package static func date(_ text: String) -> Date? { parse(text)?.date }

    package static func format(_ date: Date) -> String { format(PostgresTimestamp(date)) }

    /// Days of the proleptic Gregorian calendar, counted in eras of 400 years that start on 1 March.
    private static func daysSince2000(year: Int, month: Int, day: Int) -> Int {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 730_425
    }

    private static func civil(daysSince2000 days: Int) -> (year: Int, month: Int, day: Int) {
        let z = days + 730_425
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shifted + 2) / 5 + 1
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }
}

private struct Scanner {
    let bytes: [UInt8]
    var position = 0

    var isAtEnd: Bool { position == bytes.count }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    mutating func digit() -> Int? {
        guard position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) else {
            return nil
        }
        defer { position += 1 }
        return Int(bytes[position] - UInt8(ascii: "0"))
    }

    mutating func digits(_ count: Int) -> Int? {
        var number = 0
        for _ in 0..<count {
            guard let digit = digit() else { return nil }
            number = number * 10 + digit
        }
        return number
    }

    mutating func microseconds() -> Int? {
        guard var number = digit() else { return nil }
        var count = 1
        while let digit = digit() {
            if count < 6 {
                number = number * 10 + digit
                count += 1
            }
        }
        while count < 6 {
            number *= 10
            count += 1
        }
        return number
    }

    /// Seconds east of UTC.
    mutating func offset() -> Int? {
        if skip("Z") || skip("z") { return 0 }
        let sign: Int
        if skip("+") { sign = 1 } else if skip("-") { sign = -1 } else { return nil }
        guard let hours = digits(2) else { return nil }
        _ = skip(":")
        return sign * (hours * 3600 + (digits(2) ?? 0) * 60)
    }
}

extension Int64 {
    fileprivate func quotientAndRemainder(flooredBy divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

extension PostgresTimestamp {
    /// Seconds from Postgres' epoch, 2000-01-01, to Foundation's, 2001-01-01.
    private static let foundationEpoch: Double = 366 * 86_400

    package var date: Date {
        Date(timeIntervalSinceReferenceDate: Double(microseconds) / 1e6 - Self.foundationEpoch)
    }

    /// A date beyond what a column can hold, or one that is no number, becomes the nearest end of 10,000 years.
    package init(_ date: Date) {
        let seconds = date.timeIntervalSinceReferenceDate + Self.foundationEpoch
        let limit = Duration.longestStored.inSeconds
        // Written so that NaN fails the comparison.
        let bounded = seconds > -limit ? min(seconds, limit) : -limit
        self.init(microseconds: Int64((bounded * 1e6).rounded()))
    }

    package static func + (instant: PostgresTimestamp, duration: Duration) -> PostgresTimestamp {
        PostgresTimestamp(microseconds: instant.microseconds + duration.wholeMicroseconds)
    }
}
