private let microsecondsPerSecond: Int64 = 1_000_000
private let microsecondsPerDay: Int64 = 86_400 * microsecondsPerSecond
/// Days from 0000-03-01, where the calendar computation counts from, to 2000-01-01.
private let epochDays: Int64 = 730_425

extension PostgresTimestamp: CustomStringConvertible {
    /// Postgres' ISO form in UTC, such as `2024-02-29 12:00:00.000001+00`.
    package var description: String {
        if self == .infinity { return "infinity" }
        if self == .negativeInfinity { return "-infinity" }
        let (day, time) = microseconds.flooredDivision(by: microsecondsPerDay)
        let date = CivilDate(daysSince2000: day)
        let (seconds, fraction) = time.quotientAndRemainder(dividingBy: microsecondsPerSecond)

        // Postgres has no year zero: the year before 1 is 1 BC.
        var text = padded(date.year > 0 ? date.year : 1 - date.year, 4)
        text += "-" + padded(date.month, 2) + "-" + padded(date.day, 2)
        text +=
            " " + padded(seconds / 3600, 2) + ":" + padded(seconds / 60 % 60, 2) + ":"
            + padded(seconds % 60, 2)
        if fraction != 0 { text += "." + padded(fraction, 6) }
        return text + (date.year > 0 ? "+00" : "+00 BC")
    }

    /// Reads Postgres' ISO form, with or without a zone (which then is UTC).
    init?(postgresText text: String) {
        switch text {
        case "infinity": self = .infinity
        case "-infinity": self = .negativeInfinity
        default:
            var scanner = Scanner(text.utf8[...])
            guard let value = scanner.timestamp() else { return nil }
            self.init(microseconds: value)
        }
    }
}

private func padded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}

/// A day of the proleptic Gregorian calendar; year 0 is 1 BC.
private struct CivilDate {
    var year: Int64
    var month: Int64
    var day: Int64

    /// Counts in years that start in March, so that the leap day is the last of its year.
    init(daysSince2000: Int64) {
        let (era, dayOfEra) = (daysSince2000 + epochDays).flooredDivision(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    var daysSince2000: Int64 {
        let (era, yearOfEra) = (month <= 2 ? year - 1 : year).flooredDivision(by: 400)
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - epochDays
    }
}

extension Int64 {
    fileprivate func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

private struct Scanner {
    private var rest: Substring.UTF8View

    init(_ text: Substring.UTF8View) {
        rest = text
    }

    /// Reads `YYYY-MM-DD[ HH:MM:SS[.ffffff][±HH[:MM[:SS]]]][ BC]`.
    mutating func timestamp() -> Int64? {
        guard let year = number(), skip("-"), let month = number(), skip("-"), let day = number() else {
            return nil
        }
        var time: Int64 = 0
        if rest.count > 3, skip(" ") {
            guard let clock = clockTime() else { return nil }
            time = clock
        }
        let isBC = skip(" ") && skip("B") && skip("C")
        guard rest.isEmpty, (1...12).contains(month), (1...31).contains(day) else { return nil }
        let date = CivilDate(year: isBC ? 1 - year : year, month: month, day: day)
        let (days, overflow) = date.daysSince2000.multipliedReportingOverflow(by: microsecondsPerDay)
        let (sum, overflowOfSum) = days.addingReportingOverflow(time)
        return overflow || overflowOfSum ? nil : sum
    }

    private mutating func clockTime() -> Int64? {
        guard var time = hoursMinutesSeconds() else { return nil }
        if skip(".") {
            let before = rest.count
            guard let digits = number(), before - rest.count <= 6 else { return nil }
            time = time * microsecondsPerSecond
            time += (0..<(6 - (before - rest.count))).reduce(digits) { value, _ in value * 10 }
        } else {
            time *= microsecondsPerSecond
        }
        if skip("+") {
            guard let zone = hoursMinutesSeconds() else { return nil }
            time -= zone * microsecondsPerSecond
        } else if skip("-") {
            guard let zone = hoursMinutesSeconds() else { return nil }
            time += zone * microsecondsPerSecond
        }
        return time
    }

    private mutating func hoursMinutesSeconds() -> Int64? {
        guard let hours = number() else { return nil }
        guard skip(":") else { return hours * 3600 }
        guard let minutes = number() else { return nil }
        guard skip(":") else { return hours * 3600 + minutes * 60 }
        guard let seconds = number() else { return nil }
        return hours * 3600 + minutes * 60 + seconds
    }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func number() -> Int64? {
        let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard !digits.isEmpty, digits.count <= 7 else { return nil }
        rest = rest.dropFirst(digits.count)
        return digits.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    }
}
