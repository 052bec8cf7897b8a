import CLibPQ

/// An option of a connection string that libpq does not know: most often a slip of the finger.
struct UnknownOption {
    let name: Substring

    /// - Parameter line: libpq's message; nil when it is about something else.
    init?(in line: String) {
        let beginnings = [#"invalid connection option ""#, #"invalid URI query parameter: ""#]
        guard let beginning = beginnings.first(where: line.hasPrefix), line.hasSuffix("\"") else {
            return nil
        }
        name = line.dropFirst(beginning.count).dropLast()
    }

    /// Whether the name may be shown: behind a password it can be the end of it, cut off at a space or a `?`,
    /// unless it is nearly the name of an option.
    func isShown(of string: String) -> Bool {
        guard name.allSatisfy({ $0.isASCII && $0.isLetter || $0 == "_" }) else { return false }
        return !mayBeOfPassword(in: string) || Self.known.contains { Self.isSlip(name, for: $0) }
    }

    private func mayBeOfPassword(in string: String) -> Bool {
        if string.contains("://") {
            return string.drop { $0 != "?" }.contains("@")
        }
        guard let range = string.firstRange(of: "\(name)") else { return true }
        return string[..<range.lowerBound].lowercased().contains("pass")
    }

    /// The names of all options.
    private static let known: [String] = {
        guard let first = unsafe PQconninfoParse("", nil) else { return [] }
        defer { unsafe PQconninfoFree(first) }
        var names: [String] = []
        var next = unsafe first
        while let keyword = unsafe next.pointee.keyword {
            unsafe names.append(String(cString: keyword))
            unsafe next += 1
        }
        return names
    }()

    /// Whether one character too many, too few or wrong, or two that have changed places, make the difference.
    private static func isSlip(_ name: Substring, for option: String) -> Bool {
        let start = zip(name, option).prefix { $0 == $1 }.count
        let (name, option) = (name.dropFirst(start), option.dropFirst(start))
        let end = zip(name.reversed(), option.reversed()).prefix { $0 == $1 }.count
        let (wrong, right) = (name.dropLast(end), option.dropLast(end))
        return max(wrong.count, right.count) <= 1
            || (wrong.count == 2 && wrong.elementsEqual(right.reversed()))
    }
}
