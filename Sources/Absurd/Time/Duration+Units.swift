extension Duration {
    /// That many times 60 seconds, at most `Int64.max` seconds, which is refused wherever a duration is taken.
    public static func minutes(_ minutes: some BinaryInteger) -> Duration { seconds(minutes, times: 60) }

    /// That many times 3,600 seconds, at most `Int64.max` seconds, which is refused wherever a duration is taken.
    public static func hours(_ hours: some BinaryInteger) -> Duration { seconds(hours, times: 3600) }

    /// That many times 86,400 seconds: a length of time, not a step in a calendar.
    ///
    /// At most `Int64.max` seconds, which is refused wherever a duration is taken.
    public static func days(_ days: some BinaryInteger) -> Duration { seconds(days, times: 86_400) }

    /// A number from outside must not end the process.
    private static func seconds(_ count: some BinaryInteger, times unit: Int64) -> Duration {
        let (seconds, isTooLarge) = Int64(clamping: count).multipliedReportingOverflow(by: unit)
        return .seconds(isTooLarge ? (count < 0 ? .min : .max) : seconds)
    }
}

extension Duration {
    /// The longest duration that the tables can add to an instant without overflow: 10,000 years.
    package static let longestStored = Duration.days(3_652_500)

    /// Seconds with a fraction, for statements that take `double precision`.
    package var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }

    package var wholeMicroseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }

    /// The whole seconds of this duration, rounded up, for columns that count in seconds.
    ///
    /// - Throws: ``AbsurdError`` with the code `invalidArgument`, naming `name`, when the duration is negative
    ///   or does not fit a 32-bit integer.
    package func wholeSeconds(_ name: String) throws -> Int {
        let (seconds, attoseconds) = components
        guard self >= .zero else {
            throw AbsurdError.invalidArgument("\(name) must not be negative, and is \(self)")
        }
        let rounded = attoseconds > 0 ? seconds + 1 : seconds
        guard rounded <= Int64(Int32.max) else {
            throw AbsurdError.invalidArgument("\(name) must be at most \(Int32.max) seconds, and is \(self)")
        }
        return Int(rounded)
    }

    /// This duration, checked to lie between zero and ``longestStored``.
    package func validated(_ name: String) throws -> Duration {
        guard self >= .zero else {
            throw AbsurdError.invalidArgument("\(name) must not be negative, and is \(self)")
        }
        guard self <= Self.longestStored else {
            throw AbsurdError.invalidArgument("\(name) must be at most 10,000 years, and is \(self)")
        }
        return self
    }
}
