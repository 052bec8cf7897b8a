extension String {
    /// The text without what a terminal would obey: control characters are written as escapes.
    var printable: String {
        var text = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.properties.generalCategory == .control || scalar.isDirectional:
                text += "\\u{\(String(scalar.value, radix: 16))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// At most that many characters, with a mark where something is missing.
    func shortened(to length: Int) -> String {
        count > length ? prefix(length - 1) + "…" : self
    }
}

extension Unicode.Scalar {
    /// Whether it reorders the text around it.
    fileprivate var isDirectional: Bool {
        (0x202A...0x202E).contains(value) || (0x2066...0x2069).contains(value)
    }
}
