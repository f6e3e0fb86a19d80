import Foundation

/// A segment as the first version of the format stored it: a shell's 150 coloured lines, a cleared screen with a title, 300 lines, exit 3.
enum OlderSegment {
    static let content = decoded(
        """
        KLUv/WDfLvUhAApD+Ao7QE+a4ZwQ556SGEzIWBp2WjM9gNb16/9ORUREb7Zj2+L2B80m4B+ZESmllFKm1CpcHebIXYlctOdopAXOAIgAfwBIuJqHd2dX9/PRraahnZmV3Wxkq1lYV1ZV
        LxfVah5/t9d/n76aRp/N5dsmf62UiXhnVvVbuFCZoGKJxCMDEFLoQAQPD4jlMtFkng2PzFNBuTwsEw8KLo8KSST8eCwTSsUlkciwayy4ZJxNZmKjcSoskwpINZaKBsqFwnlAMjgXGkfy
        iDgbLDITDkbDgIbjAwk0QCDCcQIGDx8EIGHiggBCKKEDCh5sMMIAjgoQAEA0ICpUiDChQwEJcOBAA4Oj4Wg0GhEfCHjA0YACEDgwCKuJZ3UTriae1U23mnhWN9lq4lndVKuJZ3XTVxPP
        6iavJp7VLVzwA/NsNBEPZTPZHEAZJBaQSDBwujW1NLQzs7KbjWxLKwvryqrq5aLa6/P4u73++/S1Oo0+m8u3TV7SJJPJZDKZTF7Nxb21rf16aVdTUU9NS69W0tVMzEvLyqeTcjUR8dCw
        8Ojos7l82+QlpSSkI6Oik4nou7q5uLe2tV8v7apqKuqpaenVSrqpmYl5aVn5dFIuKiYiHhoWHo2Ee3p5eHd2dT8f3ZpaGtqZWdnNRrallYV1ZVX1clHt9Xn83V7/ffpanUafzeXbJi8p
        JSEdGRWdTOTVxLO6aVcTz+omXU08q5syGc5mwuGBZFQFRsTZTDhkZFAoz0WGDCeCZwMpxFRMVu0ccTAZC4wGjHOhcSJOpXKhcCAUcR4LicVEY7lYJigmDuTRkNlEnMsFxeNgRCCORvNQ
        XDIYB4NqVzcX99a29uulXVVNRT01Lb1aSTc1MzEvLSufTspFxUTEQ8PCo5FwTy8P786u7uejW1NLQzszK7vZyLa0srCurKpeLqq9Po+/2+u/T1+r0wGB6qghSLKIpCQFBSm0GXErSJJk
        GANiEITBqIrwifD/En/BVELTJEbfmKTgsInwgTJ+MuG/rhqpoSQOQJkPlc73DFJXmUJOAIBOgfeNaKDivyTIcZV3gjwrtVRXZa2W6qqs1VJdlbVaqquyVkt1Vdb6/KMkCmIhlERBLISS
        KIiFUBIFsRBKoiAWQklQex2XhcSk9C3PnqXelfuuZf+eH5Hod9uTd09R78s91/J/x89I9Lr9zhPZF6/94ar1BVem3//7rvd5ju98nuc4nOd5Dsd5Ps9xnMvzHI/zPM/hOO71MYxTvVDU
        PijqB4q6/0TFfaLuPVF3nqj3PKbduq5rbD6vxzVN13W7z6dxXatpWs7lMU3XdV2z8Xkdr2la19p9no7ruqbRcp6PaVrX6prNz+u4ptG6bu8H/DZFa1M4m6qxqfqaqq0pupqiqZ2wu+B3
        xc4N3x2/a9xu/O6wuy0Y9ClHbGIAualy4Amd/XtDUMDJ0GlV+viK1gucXZikAQ==
        """)

    static let pages = decoded(
        """
        KLUv/WBCKYUXACZjVyaQKRkO/w+n/n9U5vYP/KNnntOZm/kTpJRSpiSl8qV+eotJo0G0d18ASQBHAHXFCSHTSrybUskRH9TpE5VLDKnjdUGJMZZayQSRO6xVPGFjIWWSEpIH9gpLlLFc
        cULIHFVoFpg4YzGlkiM+qIYiwIEDxgIAAgUWDoVhcdCAwQIFCYwCsSwIBByGgQgB9HmfRp/N5dsmj+scAAGPTKnkiA/qlBIvMaSO1zQzHSUTRO6wVvEmbCykTDuIzMzMzExERERExLu7
        u7u5XuKZWU242UiZWuJZVYnXwwOrm6aIxLO6aZqJZ3XTFBPP6qbpJZ7VTVNLPKubppV4VndhHIZBAk2feFY3TZ14VjdNKfGsbpqOQuJZ3VQcFoz6/98PpqkTz+qmKSWe1U3TSTyrm6al
        xLO6aZqJZ3XTFBPP6qa5XuJZ3TS1xLO6aVqJZ3XT9IlnddPUiWd105QSz+qm6QSB4KgxyKvQHGFPkKQgaQwiEAgQi8PIwPCJgAj/iio+Bqhtcyqai9snC5OxfAwTu6taQVi6UBBrJhUE
        7s5CGgosxraXw8RdYwOx0S0h7Co3kDvNCsKmg+PpTHQB1A4E+HtfHwGMfNxaUBjxwgthFDXpzMM4czOFoUcJhTmUGlGFmLaaQGLpNy6McqjkJx/lm7mHCT5Boy5ktD0H0QhMIokEmZNN
        kDKGhIgjSJTYTHSeKeNECBEg5sB8KpzvbyC7agVrHZ0QABSPmHPacbNgxyMCgM0T05pFLCGtQCAklEeawyaJCBSAXH5KYR5PTToos8ERSCSAQDEQCgulaBzFMaBAgsKAEN7FHHBo4Pgw
        QuiZq9fTc72fKqhqAYSlNJ8VI/2PDGEuwhfk3iehbELsqP+RpY65YgFz3vRYBHPAIaUBmXmmywLYmKOUL8cKLCow587ooiBKzIjil0682WEQI54CiqeNAsacN6UOtMLfgORa32CLX9DA
        w8PQrilxzko1T1WqxbtSXVxwiaBSLyF4uvcq
        """)

    private static func decoded(_ text: String) -> [UInt8] { Array(Data(base64Encoded: text, options: .ignoreUnknownCharacters) ?? Data()) }
}
