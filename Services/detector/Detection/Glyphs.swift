/// The characters that terminal programs draw with, by what they are for.
enum Glyphs {
    private static func set(_ text: String) -> Set<UInt32> { Set(text.unicodeScalars.map(\.value)) }

    /// Rules and the edges of boxes.
    static let rules = set("─━═╌┄┈╍┅┉▔▁▂▄▀—╶╴╸╺")
    static let asciiRules = set("-=_~")
    static let corners = set("╭╮╰╯┌┐└┘╔╗╚╝├┤┬┴┼╞╡┏┓┗┛┠┨┣┫╓╖╙╜")
    static let sides = set("│┃▌▐|║▏▕┊┆╎")
    /// What stands before the chosen one of several options.
    static let selectors = set("❯›>→▸▶➜➤►❱»❭◉◆●")
    /// What opens a composer.
    static let prompts = set("❯›>→❭⟩»➜")
    /// Begins a row of the transcript: something that was said or done.
    static let bullets = set("●⏺•✦⎿└■✓✔✗✘↳▪◦⚡✕⚠├")
    /// Only spinners begin rows with these.
    static let spinners = set("✢✳✶✻✽∗✺✹✸✷✵✴✱✲◐◑◒◓◴◵◶◷◜◝◞◟⬡⬢◔◕")
    /// Spinners and bullets begin rows with these.
    static let ambiguousSpinners = set("·*●•◉◎○◦∙◌◇◆■□▪▌+")
    /// One frame of the usual braille spinners.
    static let brailleFrames = set("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏⠁⠂⠄⡀⢀⠠⠐⠈⠉⠃⠆⠤⠒⠖⠓⠚⠞⣾⣽⣻⢿⡿⣟⣯⣷")

    static func isBraille(_ scalar: UInt32) -> Bool { (0x2801...0x28ff).contains(scalar) }
    static func isBrailleOrBlank(_ scalar: UInt32) -> Bool { (0x2800...0x28ff).contains(scalar) }
    static func isDigit(_ scalar: UInt32) -> Bool { (0x30...0x39).contains(scalar) }
    static func isBlank(_ scalar: UInt32) -> Bool { scalar == 0x20 || scalar == 0xa0 || scalar == 0x3000 || scalar == 0x2800 || scalar == 0x09 }
    static func isLetter(_ scalar: UInt32) -> Bool {
        if scalar < 0x80 { return (0x41...0x5a).contains(scalar) || (0x61...0x7a).contains(scalar) }
        return Unicode.Scalar(scalar)?.properties.isAlphabetic ?? false
    }

    static let ellipsis: UInt32 = 0x2026
}
